#pragma once
// The OpenSSL of TLS, for the Swift target of that name alone.
#include "x509.h"
