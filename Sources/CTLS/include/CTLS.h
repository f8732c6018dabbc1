#pragma once
// The OpenSSL of TLS, for the Swift target of that name alone.
#include "context.h"
#include "stream.h"
#include "x509.h"
