// Inference: decoding, waiting for the model, running, encoding.
#include <algorithm>
#include <utility>

#include "api/api_handler.h"
#include "api/body_limits.h"
#include "api/exchange.h"
#include "encoding/hex.h"
#include "http/infer_codec.h"

namespace cloister {
namespace {

constexpr std::string_view kJsonLength = "inference-header-content-length";

/// What the outputs of a run keep alive until they are sent.
struct SentOutputs {
  Inference inference;
};

Result<InferRequest> decode(const HttpRequestHead& head, Bytes body, BodyFormat format,
                            const Signature& signature, const InferLimits& limits) {
  switch (format) {
    case BodyFormat::npy: return decode_infer_npy(body, signature, limits);
    case BodyFormat::npz: return decode_infer_npz(body, limits);
    case BodyFormat::json: break;
  }
  CLOISTER_ASSIGN(const auto json_bytes, inference_header_length(head));
  if (json_bytes == 0U) return decode_infer_raw(body, signature);
  return decode_infer_json(body, json_bytes, limits);
}

/// `?output=NAME`, for the formats that have no place for it in the body.
Status add_queried_outputs(const HttpRequestHead& head, InferRequest& request) {
  CLOISTER_ASSIGN(auto names, query_values(head.query, "output"));
  for (std::string& name : names) request.outputs.push_back({std::move(name), false});
  return Done{};
}

/// An answer that cannot be had in the format asked for (RFC 9110, 15.5.7).
HttpResponse not_acceptable(const Error& error) {
  HttpResponse response = ErrorResponse::of(error);
  if (error.code == Code::unsupported) response.status = 406;
  return response;
}

Result<EncodedInfer> encode(BodyFormat format, const InferRequest& request,
                            InferResponse response) {
  if (format == BodyFormat::json) return encode_infer_json(request, std::move(response));
  // One array goes as .npy; a model with several outputs needs the named form.
  if (format == BodyFormat::npy && response.outputs.size() == 1) {
    return encode_infer_npy(std::move(response));
  }
  return encode_infer_npz(std::move(response));
}

}  // namespace

void ApiHandler::start_infer(const ExchangePtr& exchange) {
  auto record = find_model(*exchange);
  if (!record.ok()) {
    answer(*exchange, ErrorResponse::of(record.error()));
    return;
  }
  exchange->record = std::move(record).value();
  exchange->control =
      std::make_shared<RunControl>(parts_.clock.steady() + settings_.request_time_max);
  exchange->control->set_caller(exchange->caller->id().value);
  exchange->responder->on_peer_gone([control = exchange->control] { control->cancel(); });
  if (parts_.models.is_resident(exchange->record->ref)) {
    enqueue(parts_.queues.runs, exchange, &ApiHandler::infer);
    return;
  }
  // An execution slot is for running: waiting for a load happens elsewhere.
  const Status queued = parts_.queues.loads.push([this, exchange] {
    const Status loaded = parts_.models.await(*exchange->record, *exchange->control);
    if (!loaded.ok()) {
      answer(*exchange, ErrorResponse::of(loaded.error()));
      return;
    }
    enqueue(parts_.queues.runs, exchange, &ApiHandler::infer);
  }, exchange->caller->id().value);
  if (!queued.ok()) answer(*exchange, ErrorResponse::of(queued.error()));
}

HttpResponse ApiHandler::infer(Exchange& exchange) {
  const VersionRecord& record = *exchange.record;
  const auto format = infer_format(exchange.head);
  if (!format.ok()) return ErrorResponse::of(format.error());
  const auto answer = answer_format(exchange.head, format.value());
  if (!answer.ok()) return not_acceptable(answer.error());
  auto request = decode(exchange.head, exchange.body.bytes(), format.value(), record.signature,
                        InferLimits{settings_.request_bytes_max});
  if (!request.ok()) return ErrorResponse::of(request.error());
  if (format.value() != BodyFormat::json) {
    const Status added = add_queried_outputs(exchange.head, request.value());
    if (!added.ok()) return ErrorResponse::of(added.error());
  }
  std::vector<std::string> wanted;
  for (const RequestedOutput& each : request.value().outputs) wanted.push_back(each.name);
  auto ran = parts_.models.infer(record, request.value().inputs, wanted, *exchange.control);
  if (!ran.ok()) return ErrorResponse::of(ran.error());

  auto owner = std::make_shared<SentOutputs>(SentOutputs{std::move(ran).value()});
  InferResponse response;
  response.model_name = exchange.route.name;
  response.model_version = std::to_string(record.ref.version.value);
  response.id = request.value().id;
  response.outputs = owner->inference.outputs->tensors();
  response.owner = std::move(owner);
  auto encoded = encode(answer.value(), request.value(), std::move(response));
  if (!encoded.ok()) return not_acceptable(encoded.error());

  HttpResponse sent;
  sent.headers.push_back({"content-type", std::string(encoded.value().content_type)});
  sent.headers.push_back({"cloister-model", "sha256:" + hex_encode(record.sha256)});
  if (encoded.value().json_bytes) {
    sent.headers.push_back({std::string(kJsonLength), std::to_string(*encoded.value().json_bytes)});
  }
  sent.body = std::move(encoded.value().body);
  return sent;
}

}  // namespace cloister
