#include "api/model_answers.h"

#include "encoding/json_writer.h"

namespace cloister {
namespace {

std::string type_name(DType type) {
  return type == DType::bytes ? "TYPE_STRING" : "TYPE_" + std::string(protocol_name(type));
}

void write_dims(JsonWriter& out, const TensorSpec& spec, bool batched) {
  out.key("dims").begin_array();
  for (std::size_t i = batched ? 1 : 0; i < spec.extents.size(); ++i) {
    const auto& value = spec.extents[i].value;
    out.integer(value ? static_cast<std::int64_t>(*value) : -1);
  }
  out.end_array();
}

void write_inputs(JsonWriter& out, const std::vector<TensorSpec>& specs, bool batched,
                  bool optional) {
  for (const TensorSpec& spec : specs) {
    out.begin_object().key("name").text(spec.name).key("data_type").text(type_name(spec.type));
    out.key("format").text("FORMAT_NONE");
    write_dims(out, spec, batched);
    out.key("is_shape_tensor").boolean(false).key("allow_ragged_batch").boolean(false);
    out.key("optional").boolean(optional).end_object();
  }
}

void write_outputs(JsonWriter& out, const std::vector<TensorSpec>& specs, bool batched) {
  for (const TensorSpec& spec : specs) {
    out.begin_object().key("name").text(spec.name).key("data_type").text(type_name(spec.type));
    write_dims(out, spec, batched);
    out.key("label_filename").text("").key("is_shape_tensor").boolean(false).end_object();
  }
}

/// `options` as one object's members, spliced into the object that is being written.
std::string members_of(const ModelOptions& options) {
  const std::string object = model_options_json(options);
  return object.substr(1, object.size() - 2);
}

void write_duration(JsonWriter& out, std::string_view key, const DurationCount& duration) {
  out.key(key).begin_object().key("count").unsigned_integer(duration.count);
  out.key("ns").integer(duration.time.count()).end_object();
}

void write_version(JsonWriter& out, const NamedStatistics& version) {
  const VersionStatistics& counts = version.counts;
  out.begin_object().key("name").text(version.name);
  out.key("version").text(std::to_string(version.version.value));
  out.key("last_inference").integer(counts.last_inference.time_since_epoch().count() * 1000);
  out.key("inference_count").unsigned_integer(counts.inferences);
  out.key("execution_count").unsigned_integer(counts.executions);
  out.key("inference_stats").begin_object();
  write_duration(out, "success", counts.success);
  write_duration(out, "fail", counts.fail);
  write_duration(out, "queue", counts.queue);
  write_duration(out, "compute_input", counts.input);
  write_duration(out, "compute_infer", counts.infer);
  write_duration(out, "compute_output", counts.output);
  write_duration(out, "cache_hit", {});
  write_duration(out, "cache_miss", {});
  out.end_object().key("batch_stats").begin_array();
  for (const VersionStatistics::Batch& batch : counts.batches) {
    out.begin_object().key("batch_size").unsigned_integer(batch.size);
    write_duration(out, "compute_input", batch.input);
    write_duration(out, "compute_infer", batch.infer);
    write_duration(out, "compute_output", batch.output);
    out.end_object();
  }
  out.end_array().key("memory_usage").begin_array().end_array().end_object();
}

}  // namespace

std::string config_json(std::string_view name, const VersionRecord& record,
                        const ModelOptions& options) {
  const bool batched = options.batch_max > 0;
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("name").text(name).key("platform").text("onnxruntime_onnx");
  out.key("backend").text("onnxruntime").key("input").begin_array();
  write_inputs(out, record.signature.inputs, batched, false);
  write_inputs(out, record.signature.optional_inputs, batched, true);
  out.end_array().key("output").begin_array();
  write_outputs(out, record.signature.outputs, batched);
  out.end_array();
  for (const std::string_view none : {"batch_input", "batch_output", "model_warmup"}) {
    out.key(none).begin_array().end_array();
  }
  out.key("instance_group").begin_array().begin_object().key("name").text(name);
  out.key("kind").text("KIND_CPU").key("count").unsigned_integer(1).end_object().end_array();
  out.key("default_model_filename").text("model.onnx");
  out.key("model_transaction_policy").begin_object().key("decoupled").boolean(false).end_object();
  json += ',' + members_of(options) + '}';
  return json;
}

std::string statistics_json(const std::vector<NamedStatistics>& versions) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("model_stats").begin_array();
  for (const NamedStatistics& each : versions) write_version(out, each);
  out.end_array().end_object();
  return json;
}

}  // namespace cloister
