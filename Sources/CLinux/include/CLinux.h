#pragma once
#include "calls.h"
#include "sockets.h"
#include "process.h"
#include "logs.h"
