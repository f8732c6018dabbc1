#pragma once
#include "sockets.h"
#include "process.h"
#include "logs.h"
