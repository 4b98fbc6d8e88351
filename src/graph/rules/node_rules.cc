#include <algorithm>
#include <string>

#include "graph/limits.h"
#include "graph/onnx/tensor_content.h"
#include "graph/rules/learned_rules.h"
#include "graph/rules/rules.h"

namespace cloister {
namespace {

const char* name_of(AttributeKind kind) noexcept {
  static constexpr const char* kNames[] = {
      "undefined", "real", "integer", "string", "tensor", "graph", "reals", "integers", "strings",
      "tensors", "graphs", "sparse tensor", "sparse tensors", "type", "types"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string counted(std::uint64_t min, std::uint64_t max) {
  if (max == UINT64_MAX) return "at least " + std::to_string(min);
  if (min == max) return std::to_string(min);
  return std::to_string(min) + " to " + std::to_string(max);
}

std::string full_name(const Node& node) {
  return quoted((node.domain.empty() ? std::string() : std::string(node.domain) + ".") +
                std::string(node.op_type));
}

void check_attribute_content(const Attribute& attribute, const OperatorScope& scope,
                             const Where& where, FindingList& findings) {
  if (attribute.name.empty()) findings.add("attribute-name", where, "name the attribute");
  if (attribute.several_kinds) {
    findings.add("attribute-kind", where, "keep one value, of the kind that its type says");
  }
  const bool refers = !attribute.reference.empty();
  if (refers && !scope.in_function) {
    findings.add("attribute-reference", where,
                 "only inside a function may an attribute refer to another");
  }
  if (attribute.kind == AttributeKind::undefined && !refers) {
    findings.add("attribute-kind", where, "give the attribute a type");
  }
  if (!attribute.content) return;
  for (const Tensor& tensor : attribute.content->tensors) check_tensor(tensor, where, findings);
  for (const SparseTensor& sparse : attribute.content->sparses) {
    check_sparse_tensor(sparse, where, findings);
  }
}

void check_schema(const Node& node, const OperatorVersion& version, const Where& where,
                  FindingList& findings) {
  const auto rules = attribute_rules(version);
  for (const Attribute& attribute : node.attributes) {
    const Where at{&where, "attribute", -1, attribute.name};
    const auto rule =
        std::find_if(rules.begin(), rules.end(),
                     [&](const AttributeRule& one) { return one.name == attribute.name; });
    if (rule == rules.end()) {
      // Exporters leave remarks of their own here; the runtime refuses them as well.
      findings.add("attribute-unknown", at, "the operator has no such attribute; remove it");
    } else if (attribute.kind != rule->kind && attribute.kind != AttributeKind::undefined) {
      findings.add("attribute-kind", at,
                   std::string("expected ") + name_of(rule->kind) + ", got " +
                       name_of(attribute.kind));
    }
  }
  for (const AttributeRule& rule : rules) {
    if (!rule.required) continue;
    const bool there =
        std::any_of(node.attributes.begin(), node.attributes.end(),
                    [&](const Attribute& attribute) { return attribute.name == rule.name; });
    if (!there) {
      findings.add("attribute-missing", where, "the operator needs " + quoted(rule.name));
    }
  }
}

void check_operator(const Node& node, const OperatorScope& scope, const Where& where,
                    FindingList& findings) {
  const std::int64_t known_max = OperatorTable::opset_max(node.domain);
  if (known_max == 0) {
    return findings.add("operator-domain", where,
                        "operators of " + quoted(node.domain) +
                            " are not served: use those of ai.onnx, ai.onnx.ml, and the "
                            "com.microsoft ones that docs/admission.md lists");
  }
  const std::int64_t opset = scope.imports->version(node.domain);
  if (opset == 0) {
    return findings.add("opset-missing", where,
                        "opset_import has no version for the domain " + quoted(node.domain));
  }
  const OperatorVersion* version = scope.table->find(node.domain, node.op_type, opset);
  if (version == nullptr) {
    const bool other = scope.table->knows(node.domain, node.op_type);
    return findings.add(other ? "operator-version" : "operator-unknown", where,
                        full_name(node) + (other ? " came after opset " + std::to_string(opset) +
                                                       "; export for a newer one"
                                                 : " is not an operator that is served"));
  }
  if (version->deprecated) {
    return findings.add("operator-deprecated", where,
                        full_name(node) + " was withdrawn in opset " +
                            std::to_string(version->since) + "; export with what replaces it");
  }
  if (node.inputs.size() < version->inputs_min || node.inputs.size() > version->inputs_max) {
    findings.add("node-inputs", where,
                 full_name(node) + " takes " + counted(version->inputs_min, version->inputs_max) +
                     " inputs, got " + std::to_string(node.inputs.size()));
  }
  if (node.outputs.size() < version->outputs_min || node.outputs.size() > version->outputs_max) {
    findings.add("node-outputs", where,
                 full_name(node) + " gives " +
                     counted(version->outputs_min, version->outputs_max) + " outputs, got " +
                     std::to_string(node.outputs.size()));
  }
  const std::uint64_t before = findings.count();
  check_schema(node, *version, where, findings);
  if (findings.count() != before) return;
  check_trees(node, where, findings);
  check_learned(node, where, findings);
}

}  // namespace

void check_attributes(const std::vector<Attribute>& attributes, const OperatorScope& scope,
                      const Where& where, FindingList& findings) {
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    const Where at{&where, "attribute", -1, attributes[i].name};
    check_attribute_content(attributes[i], scope, at, findings);
    for (std::size_t k = 0; k < i; ++k) {
      if (attributes[k].name != attributes[i].name) continue;
      findings.add("attribute-duplicate", at, "keep one attribute of each name");
      break;
    }
  }
}

void check_node(const Node& node, const OperatorScope& scope, const Where& where,
                FindingList& findings) {
  check_attributes(node.attributes, scope, where, findings);
  const Function* function = scope.functions->called_by(node);
  if (function == nullptr) return check_operator(node, scope, where, findings);
  if (node.inputs.size() > function->inputs.size() ||
      node.outputs.size() > function->outputs.size()) {
    findings.add("function-call", where, "the function has fewer inputs or outputs than that");
  }
  if (scope.imports->version(node.domain) == 0) {
    findings.add("opset-missing", where,
                 "opset_import has no version for the domain " + quoted(node.domain));
  }
}

void check_header(const Model& model, FindingList& findings) {
  const Where where{nullptr, "model"};
  if (model.ir_version < kIrVersionMin || model.ir_version > kIrVersionMax) {
    findings.add("ir-version", where,
                 "ir_version is " + std::to_string(model.ir_version) + "; " +
                     std::to_string(kIrVersionMin) + " to " + std::to_string(kIrVersionMax) +
                     " are served");
  }
  if (model.has_training) {
    findings.add("training-info", where, "export the model for inference, without training_info");
  }
  const auto check_imports = [&](const std::vector<OpsetImport>& imports, const Where& at) {
    const ImportIndex index(imports);
    for (std::size_t i = 0; i < imports.size(); ++i) {
      const Where here{&at, "opset_import", static_cast<std::int64_t>(i), imports[i].domain};
      const std::int64_t max = OperatorTable::opset_max(imports[i].domain);
      if (imports[i].version < 1 || (max != 0 && imports[i].version > max)) {
        findings.add("opset-version", here,
                     "version " + std::to_string(imports[i].version) + " is not served" +
                         (max == 0 ? "" : ": 1 to " + std::to_string(max)));
      }
      if (index.version(imports[i].domain) != imports[i].version) {
        findings.add("opset-duplicate", here, "import each domain in one version");
      }
    }
  };
  check_imports(model.imports, where);
  for (const Function& function : model.functions) {
    const Where at{&where, "function", -1, function.name};
    check_imports(function.imports, at);
  }
}

}  // namespace cloister
