// Inference: decoding, waiting for the model, running, encoding.
#include <algorithm>
#include <utility>

#include "api/api_handler.h"
#include "api/body_limits.h"
#include "api/content_coding.h"
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

/// When the run must have ended: what `timeout` asks for, but not later than `latest`.
/// Fails: `deadline` where the request has waited too long already.
Result<SteadyTime> deadline_of(const InferRequest& request, SteadyTime since, SteadyTime now,
                               SteadyTime latest) {
  if (!request.timeout_microseconds || *request.timeout_microseconds == 0) return latest;
  const auto most = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(latest - since).count());
  if (*request.timeout_microseconds >= most) return latest;
  const SteadyTime wanted = since + std::chrono::microseconds(*request.timeout_microseconds);
  if (wanted > now) return wanted;
  return Error{Code::deadline, "api.timeout",
               Detail("the request waited longer than its \"timeout\" allows")};
}

HttpResponse sent_response(const VersionRecord& record, EncodedInfer encoded) {
  HttpResponse sent;
  sent.headers.push_back({"content-type", std::string(encoded.content_type)});
  sent.headers.push_back({"cloister-model", "sha256:" + hex_encode(record.sha256)});
  if (encoded.json_bytes) {
    sent.headers.push_back({std::string(kJsonLength), std::to_string(*encoded.json_bytes)});
  }
  sent.body = std::move(encoded.body);
  return sent;
}

}  // namespace

void ApiHandler::start_infer(const ExchangePtr& exchange) {
  auto record = find_served(*exchange);
  if (!record.ok()) {
    answer(*exchange, ErrorResponse::of(record.error()));
    return;
  }
  exchange->record = std::move(record).value();
  exchange->deadline = exchange->since + settings_.request_time_max;
  exchange->peer_gone = std::make_shared<std::atomic<std::uint32_t>>(0);
  exchange->responder->on_peer_gone([gone = exchange->peer_gone] { gone->store(1); });
  if (parts_.models.is_resident(exchange->record->ref)) {
    enqueue(parts_.queues.runs, exchange, &ApiHandler::infer);
    return;
  }
  // An execution slot is for running: waiting for a load happens elsewhere.
  const Status queued = parts_.queues.loads.push([this, exchange] {
    RunControl control(exchange->deadline, exchange->peer_gone.get(), 1);
    control.set_caller(exchange->caller->id().value);
    const Status loaded = parts_.models.await(*exchange->record, control);
    if (!loaded.ok()) {
      answer(*exchange, ErrorResponse::of(loaded.error()));
      return;
    }
    enqueue(parts_.queues.runs, exchange, &ApiHandler::infer);
  }, exchange->caller->id().value);
  if (!queued.ok()) answer(*exchange, ErrorResponse::of(queued.error()));
}

/// The body without its coding takes the place of the coded one.
Status ApiHandler::replace_coded(Exchange& exchange, DeflateForm coding, BodyFormat format) const {
  const std::uint64_t bound =
      infer_body_bound(exchange.record->signature, format, settings_.request_bytes_max);
  CLOISTER_ASSIGN(DecodedBody decoded, decode_content(exchange.body.bytes(), coding, bound));
  exchange.body.memory = std::move(decoded.memory);
  exchange.body.size = decoded.size;
  return Done{};
}

HttpResponse ApiHandler::infer(Exchange& exchange) {
  const VersionRecord& record = *exchange.record;
  const SteadyTime begun = parts_.clock.steady();
  const auto format = infer_format(exchange.head);
  if (!format.ok()) return ErrorResponse::of(format.error());
  const auto answer = answer_format(exchange.head, format.value());
  if (!answer.ok()) return not_acceptable(answer.error());
  const auto coding = request_coding(exchange.head);
  if (!coding.ok()) return ErrorResponse::of(coding.error());
  if (coding.value()) {
    const Status plain = replace_coded(exchange, *coding.value(), format.value());
    if (!plain.ok()) return ErrorResponse::of(plain.error());
  }
  auto request = decode(exchange.head, exchange.body.bytes(), format.value(), record.signature,
                        InferLimits{settings_.request_bytes_max});
  if (!request.ok()) return ErrorResponse::of(request.error());
  if (format.value() != BodyFormat::json) {
    const Status added = add_queried_outputs(exchange.head, request.value());
    if (!added.ok()) return ErrorResponse::of(added.error());
  }
  const auto deadline = deadline_of(request.value(), exchange.since, begun, exchange.deadline);
  if (!deadline.ok()) return ErrorResponse::of(deadline.error());
  RunControl control(deadline.value(), exchange.peer_gone.get(), 1);
  std::vector<std::string> wanted;
  for (const RequestedOutput& each : request.value().outputs) wanted.push_back(each.name);
  const SteadyTime decoded = parts_.clock.steady();
  auto ran = parts_.models.infer(record, request.value().inputs, wanted, control);
  if (!ran.ok()) return ErrorResponse::of(ran.error());
  const SteadyTime finished = parts_.clock.steady();

  auto owner = std::make_shared<SentOutputs>(SentOutputs{std::move(ran).value()});
  InferResponse response;
  response.model_name = exchange.route.name;
  response.model_version = std::to_string(record.ref.version.value);
  response.id = request.value().id;
  response.outputs = owner->inference.outputs->tensors();
  response.owner = std::move(owner);
  auto encoded = encode(answer.value(), request.value(), std::move(response));
  if (!encoded.ok()) return not_acceptable(encoded.error());
  HttpResponse sent = sent_response(record, std::move(encoded).value());
  if (const auto wanted_form = wanted_coding(exchange.head)) {
    const Status coded = encode_content(sent, *wanted_form);
    if (!coded.ok()) return ErrorResponse::of(coded.error());
  }
  const SteadyTime done = parts_.clock.steady();
  const RequestTimes times{begun - exchange.since, decoded - begun, finished - decoded,
                           done - finished};
  parts_.statistics.succeeded(record.ref, times, 1, parts_.clock.utc());
  parts_.statistics.executed(record.ref, 1, times);
  return sent;
}

}  // namespace cloister
