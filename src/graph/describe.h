#pragma once

#include <string>
#include <vector>

#include "graph/admission.h"
#include "model/model.h"

namespace cloister {

/// What `cloister check` prints: inputs, outputs, operators, parameters and cost of a model that
/// was accepted, or every finding with its remedy. Several lines, the last one ends too.
std::string describe_admission(const AdmissionVerdict& verdict);

/// The same as one JSON object: {"accepted": true, "inputs": [...], "outputs": [...], ...} or
/// {"accepted": false, "findings": [{"rule", "where", "remedy"}]}.
std::string admission_json(const AdmissionVerdict& verdict);

/// The findings alone as a JSON array, as they stand in the body of a 422 answer.
std::string findings_json(const std::vector<Finding>& findings);

}  // namespace cloister
