#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace cloister {

/// A model that admission must refuse, and the rule that must be among its findings.
struct HostileModel {
  std::string name;
  std::string rule;
  ByteVector bytes;
};

/// One model or more for every line of the threat list's part on model files: references out of
/// the file, operators, structure, bombs, and what is no ONNX at all. All are made here.
std::vector<HostileModel> hostile_models();

/// Small models that admission must accept, among them odd ones that are legal: the twins of the
/// hostile ones, and the seeds of the fuzz target.
std::vector<HostileModel> legal_models();

/// Models as large as the limits allow, each made to cost admission the most that it can; a rule is
/// given where they are refused.
std::vector<HostileModel> burdens();

}  // namespace cloister
