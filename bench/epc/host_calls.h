#pragma once

#include "epc/enclave_heap.h"

namespace cloister {

/// The one heap that allocations come from while `inside_enclave` holds; made at the first call,
/// which comes before any of them.
EnclaveHeap& enclave_heap();

}  // namespace cloister
