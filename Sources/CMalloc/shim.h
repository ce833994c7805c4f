// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>

// Of <malloc.h>, which Swift's own module of the C library leaves out.
int malloc_trim(size_t pad);
int mallopt(int parameter, int value);
