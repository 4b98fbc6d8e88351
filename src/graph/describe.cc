#include "graph/describe.h"

#include <array>
#include <cstdint>
#include <map>
#include <variant>

#include "graph/onnx/decode.h"
#include "tensor/tensor.h"

namespace cloister {
namespace {

std::string json_text(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      out += '\\';
      out += letter;
    } else if (code < 0x20 || code == 0x7f) {
      out += "\\u00";
      out += kHex[code >> 4];
      out += kHex[code & 15];
    } else {
      out += letter;
    }
  }
  return out + '"';
}

std::string shape_text(const TensorSpec& spec, bool json) {
  if (!spec.rank_known) return json ? "null" : "[...]";
  std::string out = "[";
  for (const Extent& extent : spec.extents) {
    if (out.size() > 1) out += json ? ", " : ",";
    if (extent.value) out += std::to_string(*extent.value);
    else if (json) out += "-1";
    else out += extent.symbol.empty() ? "?" : extent.symbol;
  }
  return out + "]";
}

std::string json_specs(const std::vector<TensorSpec>& specs) {
  std::string out = "[";
  for (const TensorSpec& spec : specs) {
    if (out.size() > 1) out += ", ";
    out += "{\"name\": " + json_text(spec.name) + ", \"datatype\": \"" +
           std::string(protocol_name(spec.type)) + "\", \"shape\": " + shape_text(spec, true) + "}";
  }
  return out + "]";
}

void text_specs(std::string& out, const char* title, const std::vector<TensorSpec>& specs) {
  for (const TensorSpec& spec : specs) {
    out += title;
    out += spec.name + ": " + std::string(numpy_name(spec.type)) + ' ' +
           shape_text(spec, false) + '\n';
  }
}

/// "1.5 G": three digits and a decimal prefix.
std::string scaled(std::uint64_t number) {
  static constexpr std::array<const char*, 5> kPrefixes{"", " k", " M", " G", " T"};
  std::uint64_t whole = number;
  std::uint64_t tenth = 0;
  std::size_t step = 0;
  for (; whole >= 1000 && step + 1 < kPrefixes.size(); ++step) {
    tenth = whole / 100 % 10;
    whole /= 1000;
  }
  return std::to_string(whole) + (step == 0 ? "" : "." + std::to_string(tenth)) + kPrefixes[step];
}

void count_operators(const std::vector<Node>& nodes, std::map<std::string, std::uint64_t>& counts) {
  for (const Node& node : nodes) {
    const std::string domain(node.domain);
    ++counts[(domain.empty() ? "" : domain + ".") + std::string(node.op_type)];
    for (const Attribute& attribute : node.attributes) {
      if (!attribute.content) continue;
      for (const Graph& graph : attribute.content->graphs) count_operators(graph.nodes, counts);
    }
  }
}

/// How often each operator stands in a canonical graph.
std::map<std::string, std::uint64_t> operators_of(const GraphBundle& bundle) {
  std::map<std::string, std::uint64_t> counts;
  const auto decoded = decode_model(bundle.graph);
  if (const auto* model = std::get_if<Model>(&decoded)) {
    count_operators(model->graph.nodes, counts);
    for (const Function& function : model->functions) count_operators(function.nodes, counts);
  }
  return counts;
}

std::string describe_accepted(const ValidatedModel& model) {
  const ModelCost& cost = model.cost();
  std::string out = "accepted\n";
  text_specs(out, "input  ", model.bundle().signature.inputs);
  text_specs(out, "option ", model.bundle().signature.optional_inputs);
  text_specs(out, "output ", model.bundle().signature.outputs);
  out += "parameters " + scaled(cost.parameters) + ", weights " + scaled(cost.weights_bytes) +
         "B, graph " + scaled(model.bundle().graph.size()) + "B\n";
  if (cost.bounded) {
    out += "one run: at most " + scaled(cost.multiply_adds) + " multiply-adds and " +
           scaled(cost.activation_bytes) + "B of activations\n";
  } else {
    out += "one run: at least " + scaled(cost.multiply_adds) + " multiply-adds and " +
           scaled(cost.activation_bytes) +
           "B of activations; open extents or data decide how much more\n";
  }
  out += "operators";
  for (const auto& [name, count] : operators_of(model.bundle())) {
    out += ' ' + name + " x" + std::to_string(count);
  }
  return out + '\n';
}

}  // namespace

std::string findings_json(const std::vector<Finding>& findings) {
  std::string out = "[";
  for (const Finding& finding : findings) {
    if (out.size() > 1) out += ", ";
    out += "{\"rule\": " + json_text(finding.rule) + ", \"where\": " + json_text(finding.where) +
           ", \"remedy\": " + json_text(finding.remedy) + "}";
  }
  return out + "]";
}

std::string describe_admission(const AdmissionVerdict& verdict) {
  if (const auto* model = std::get_if<ValidatedModel>(&verdict)) return describe_accepted(*model);
  const auto& findings = *std::get_if<std::vector<Finding>>(&verdict);
  std::string out = "refused: " + std::to_string(findings.size()) +
                    (findings.size() == 1 ? " finding\n" : " findings\n");
  for (const Finding& finding : findings) {
    out += finding.rule + ": " + finding.where + "\n    " + finding.remedy + '\n';
  }
  return out;
}

std::string admission_json(const AdmissionVerdict& verdict) {
  const auto* model = std::get_if<ValidatedModel>(&verdict);
  if (model == nullptr) {
    return "{\"accepted\": false, \"findings\": " +
           findings_json(*std::get_if<std::vector<Finding>>(&verdict)) + "}";
  }
  const Signature& signature = model->bundle().signature;
  const ModelCost& cost = model->cost();
  std::string operators;
  for (const auto& [name, count] : operators_of(model->bundle())) {
    operators += (operators.empty() ? "" : ", ") + json_text(name) + ": " + std::to_string(count);
  }
  return "{\"accepted\": true, \"inputs\": " + json_specs(signature.inputs) +
         ", \"optional_inputs\": " + json_specs(signature.optional_inputs) +
         ", \"outputs\": " + json_specs(signature.outputs) + ", \"operators\": {" + operators +
         "}, \"nodes\": " + std::to_string(cost.nodes) +
         ", \"parameters\": " + std::to_string(cost.parameters) +
         ", \"weights_bytes\": " + std::to_string(cost.weights_bytes) +
         ", \"graph_bytes\": " + std::to_string(model->bundle().graph.size()) +
         ", \"activation_bytes\": " + std::to_string(cost.activation_bytes) +
         ", \"multiply_adds\": " + std::to_string(cost.multiply_adds) +
         ", \"bounded\": " + (cost.bounded ? "true" : "false") + "}";
}

}  // namespace cloister
