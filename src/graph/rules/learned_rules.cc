#include "graph/rules/learned_rules.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>

#include "graph/limits.h"
#include "graph/rules/attributes.h"

namespace cloister {
namespace {

using Fault = std::optional<std::string>;

std::uint64_t label_count(const Node& node, const char* integers, const char* strings) {
  return std::max(length_attribute(node, integers), length_attribute(node, strings));
}

Fault kernel_fault(const Node& node) {
  const std::uint64_t parameters = length_attribute(node, "kernel_params");
  if (parameters != 0 && parameters != 3) return "kernel_params has three values, or none";
  return std::nullopt;
}

Fault svm_classifier_fault(const Node& node) {
  if (auto fault = kernel_fault(node)) return fault;
  const std::uint64_t labels = label_count(node, "classlabels_ints", "classlabels_strings");
  const std::uint64_t coefficients = length_attribute(node, "coefficients");
  const auto per_class = integers_attribute(node, "vectors_per_class", kClassesMax);
  if (labels == 0 || labels > kClassesMax) return "it needs class labels";
  if (!per_class || per_class->empty()) {
    return coefficients != 0 && coefficients % labels == 0
               ? Fault{}
               : Fault{"coefficients must be as many for each class"};
  }
  std::uint64_t vectors = 0;
  for (const std::int64_t count : *per_class) {
    if (count < 0 || count > static_cast<std::int64_t>(kFeaturesMax)) {
      return "vectors_per_class is out of range";
    }
    vectors += static_cast<std::uint64_t>(count);
  }
  const std::uint64_t classes = per_class->size();
  const std::uint64_t values = length_attribute(node, "support_vectors");
  if (classes != labels) return "vectors_per_class needs one number for each class";
  if (vectors == 0 || values == 0 || values % vectors != 0) {
    return "support_vectors does not hold as many vectors as vectors_per_class says";
  }
  if (coefficients != vectors * (classes - 1)) {
    return "coefficients must be one for each vector and each other class";
  }
  const std::uint64_t pairs = classes * (classes - 1) / 2;
  if (length_attribute(node, "rho") < pairs) return "rho needs a value for each pair of classes";
  const std::uint64_t prob_a = length_attribute(node, "prob_a");
  if (prob_a != length_attribute(node, "prob_b") || (prob_a != 0 && prob_a < pairs)) {
    return "prob_a and prob_b need a value for each pair of classes, or none";
  }
  return std::nullopt;
}

Fault svm_regressor_fault(const Node& node) {
  if (auto fault = kernel_fault(node)) return fault;
  const std::int64_t supports = integer_attribute(node, "n_supports", 0);
  const std::uint64_t coefficients = length_attribute(node, "coefficients");
  if (length_attribute(node, "rho") == 0) return "rho is missing";
  if (supports < 0 || coefficients == 0) return "it needs coefficients";
  if (supports == 0) return std::nullopt;
  const auto vectors = static_cast<std::uint64_t>(supports);
  const std::uint64_t values = length_attribute(node, "support_vectors");
  if (values == 0 || values % vectors != 0) {
    return "support_vectors does not hold n_supports vectors";
  }
  return coefficients == vectors ? Fault{} : Fault{"coefficients must be one for each vector"};
}

Fault linear_classifier_fault(const Node& node) {
  const std::uint64_t coefficients = length_attribute(node, "coefficients");
  const std::uint64_t intercepts = length_attribute(node, "intercepts");
  const std::uint64_t labels = label_count(node, "classlabels_ints", "classlabels_strings");
  if (labels == 0 || labels > kClassesMax) return "it needs class labels";
  if (intercepts == 0 || coefficients == 0 || coefficients % intercepts != 0) {
    return "coefficients must be as many for each intercept";
  }
  const bool binary = labels == 2 && intercepts == 1;
  return intercepts == labels || binary ? Fault{} : Fault{"intercepts must be one for each class"};
}

Fault linear_regressor_fault(const Node& node) {
  const std::int64_t targets = integer_attribute(node, "targets", 1);
  const std::uint64_t coefficients = length_attribute(node, "coefficients");
  const std::uint64_t intercepts = length_attribute(node, "intercepts");
  if (targets < 1 || targets > kClassesMax) return "targets is out of range";
  const auto wanted = static_cast<std::uint64_t>(targets);
  if (coefficients == 0 || coefficients % wanted != 0) {
    return "coefficients must be as many for each target";
  }
  return intercepts == 0 || intercepts == wanted ? Fault{}
                                                 : Fault{"intercepts must be one for each target"};
}

}  // namespace

void check_learned(const Node& node, const Where& where, FindingList& findings) {
  if (node.domain != "ai.onnx.ml") return;
  Fault fault;
  if (node.op_type == "SVMClassifier") fault = svm_classifier_fault(node);
  else if (node.op_type == "SVMRegressor") fault = svm_regressor_fault(node);
  else if (node.op_type == "LinearClassifier") fault = linear_classifier_fault(node);
  else if (node.op_type == "LinearRegressor") fault = linear_regressor_fault(node);
  if (fault) findings.add("learned-size", where, *fault);
}

}  // namespace cloister
