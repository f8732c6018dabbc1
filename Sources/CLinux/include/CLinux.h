#pragma once
#include "sockets.h"
#include "process.h"
