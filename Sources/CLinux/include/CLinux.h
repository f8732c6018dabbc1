#pragma once
#include "calls.h"
#include "pipes.h"
#include "sockets.h"
#include "process.h"
#include "logs.h"
#include "shared.h"
