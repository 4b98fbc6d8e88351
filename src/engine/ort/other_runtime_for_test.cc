// A library that has the runtime's entry point and is of another version: it must be refused.
#include <cstdint>

#include "engine/ort/ort_abi.h"

namespace {

const cloister::OrtFunctions* no_functions(std::uint32_t) { return nullptr; }
const char* other_version() { return "1.30.0"; }
const cloister::OrtEntry kEntry{no_functions, other_version};

}  // namespace

extern "C" __attribute__((visibility("default"))) const cloister::OrtEntry* OrtGetApiBase() {
  return &kEntry;
}
