#include "api/responses.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "encoding/hex.h"
#include "encoding/json_writer.h"

namespace cloister {
namespace {

int status_of(Code code) {
  switch (code) {
    case Code::invalid: return 400;
    case Code::unauthenticated: return 401;
    case Code::denied: return 403;
    case Code::not_found: return 404;
    case Code::conflict: return 409;
    case Code::too_large: return 413;
    case Code::unsupported: return 415;
    case Code::refused: return 422;
    case Code::busy: return 429;
    case Code::unavailable: return 503;
    case Code::deadline: return 504;
    case Code::unverified:
    case Code::corrupt:
    case Code::io:
    case Code::internal: break;
  }
  return 500;
}

/// What an answer says where the error brings no words of its own.
std::string_view default_text(Code code) {
  switch (code) {
    case Code::invalid: return "the request is not valid";
    case Code::unauthenticated: return "a bearer token or a client certificate is required";
    case Code::denied: return "not allowed";
    case Code::not_found: return "no such thing";
    case Code::conflict: return "exists already";
    case Code::too_large: return "too large";
    case Code::unsupported: return "this media type is not served";
    case Code::refused: return "the model is refused";
    case Code::busy: return "too many requests; try again later";
    case Code::unavailable: return "cannot be served now; try again later";
    case Code::deadline: return "took longer than allowed";
    case Code::unverified: return "not verified";
    case Code::corrupt: return "the stored model is damaged and is not served";
    case Code::io: return "the server's storage failed";
    case Code::internal: break;
  }
  return "the server failed";
}

std::string_view name_of(VersionState state) {
  switch (state) {
    case VersionState::loaded: return "loaded";
    case VersionState::quarantined: return "quarantined";
    case VersionState::stored: break;
  }
  return "stored";
}

std::string_view reason_of(VersionState state) {
  switch (state) {
    case VersionState::loaded: return "";
    case VersionState::quarantined: return "quarantined: its process kept dying; tried again later";
    case VersionState::stored: break;
  }
  return "stored; loads on first use";
}

void write_specs(JsonWriter& out, const std::vector<TensorSpec>& specs) {
  for (const TensorSpec& spec : specs) {
    out.begin_object().key("name").text(spec.name);
    out.key("datatype").text(protocol_name(spec.type)).key("shape").begin_array();
    for (const Extent& extent : spec.extents) {
      if (extent.value) {
        out.unsigned_integer(*extent.value);
      } else {
        out.integer(-1);
      }
    }
    out.end_array();
    if (!spec.rank_known)
      out.key("parameters").begin_object().key("any_rank").boolean(true).end_object();
    out.end_object();
  }
}

void write_facts(JsonWriter& out, const VersionRecord& record) {
  out.key("sha256").text(hex_encode(record.sha256));
  out.key("size").unsigned_integer(record.upload_bytes);
  out.key("stored_bytes").unsigned_integer(record.stored_bytes);
  out.key("uploaded_at").integer(record.uploaded_at.time_since_epoch().count());
}

}  // namespace

HttpResponse json_response(int status, std::string json) {
  return text_response(status, "application/json", std::move(json));
}

HttpResponse constant_json(std::string_view json) {
  HttpResponse response;
  response.headers.push_back({"content-type", "application/json"});
  response.body.pieces = {bytes_of(json)};
  return response;
}

HttpResponse ErrorResponse::plain(int status, std::string_view code, std::string_view text) {
  std::string json;
  JsonWriter(json).begin_object().key("error").text(text).key("code").text(code).end_object();
  return json_response(status, std::move(json));
}

HttpResponse ErrorResponse::of(const Error& error) {
  const std::string& detail = error.detail.reveal(DetailToken());
  HttpResponse response =
      plain(status_of(error.code), name_of(error.code),
            detail.empty() ? default_text(error.code) : std::string_view(detail));
  if (error.code == Code::unauthenticated) {
    response.headers.push_back({"www-authenticate", "Bearer"});
  }
  if (error.code == Code::busy || error.code == Code::unavailable) {
    response.headers.push_back({"retry-after", "1"});
  }
  return response;
}

HttpResponse ErrorResponse::of_quota(const QuotaRefusal& refusal) {
  HttpResponse response =
      plain(429, "quota", std::string("your quota of ") + refusal.what + " is used up");
  response.headers.push_back({"retry-after", std::to_string(refusal.retry_after.count())});
  return response;
}

HttpResponse ErrorResponse::of_findings(const std::vector<Finding>& findings) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("error").text("the model is refused; nothing of it was stored");
  out.key("code").text(name_of(Code::refused)).key("findings").begin_array();
  for (const Finding& each : findings) {
    out.begin_object().key("rule").text(each.rule).key("where").text(each.where);
    out.key("remedy").text(each.remedy).end_object();
  }
  out.end_array().end_object();
  return json_response(422, std::move(json));
}

std::string server_json(const ServerDescription& server,
                        const std::vector<std::string>& sealed_to) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("name").text("cloister").key("version").text(server.version);
  out.key("extensions").begin_array();
  for (const std::string_view each :
       {"binary_tensor_data", "model_configuration", "model_repository",
        "model_repository(unload_dependents)", "parameters", "schedule_policy", "statistics"}) {
    out.text(each);
  }
  out.end_array();
  out.key("confidential").begin_object();
  out.key("platform").text(server.platform).key("simulated").boolean(server.simulated);
  out.key("isolation").text(server.isolation).key("sandbox").text(server.sandbox);
  out.key("anchor").text(server.anchor).key("hpke_key").text(sealed_to.front());
  out.key("hpke_keys_kept").begin_array();
  for (std::size_t i = 1; i < sealed_to.size(); ++i) out.text(sealed_to[i]);
  out.end_array().end_object();
  out.end_object();
  return json;
}

std::string version_json(std::string_view name, const VersionRecord& record,
                         VersionState state) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("name").text(name);
  out.key("version").text(std::to_string(record.ref.version.value));
  write_facts(out, record);
  out.key("state").text(name_of(state)).end_object();
  return json;
}

std::string model_list_json(const std::vector<std::string>& names,
                            const std::vector<VersionRecord>& records,
                            const std::vector<VersionState>& states) {
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  for (std::size_t i = 0; i < records.size(); ++i) {
    out.raw(version_json(names[i], records[i], states[i]));
  }
  out.end_array();
  return json;
}

std::string repository_index_json(const std::vector<IndexEntry>& entries) {
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  for (const IndexEntry& each : entries) {
    const bool ready = each.served && each.state == VersionState::loaded;
    out.begin_object().key("name").text(each.name);
    out.key("version").text(std::to_string(each.version.value));
    out.key("state").text(ready ? "READY" : "UNAVAILABLE");
    out.key("reason").text(each.served ? reason_of(each.state) : "not in the version policy");
    out.end_object();
  }
  out.end_array();
  return json;
}

std::string metadata_json(std::string_view name, const VersionRecord& record,
                          const std::vector<VersionNumber>& versions) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("name").text(name).key("versions").begin_array();
  for (const VersionNumber& each : versions) out.text(std::to_string(each.value));
  out.end_array().key("platform").text("onnxruntime_onnx").key("inputs").begin_array();
  write_specs(out, record.signature.inputs);
  out.end_array().key("outputs").begin_array();
  write_specs(out, record.signature.outputs);
  out.end_array().key("parameters").begin_object();
  out.key("version").text(std::to_string(record.ref.version.value));
  write_facts(out, record);
  out.key("parameters").unsigned_integer(record.cost.parameters);
  out.key("optional_inputs").begin_array();
  write_specs(out, record.signature.optional_inputs);
  out.end_array().end_object().end_object();
  return json;
}

}  // namespace cloister
