// Inference: decoding, waiting for the model, running, encoding.
#include <algorithm>
#include <utility>

#include "api/api_handler.h"
#include "api/body_limits.h"
#include "api/content_coding.h"
#include "api/exchange.h"
#include "base/caught.h"
#include "encoding/hex.h"
#include "http/infer_codec.h"

namespace cloister {
namespace {

constexpr std::uint64_t kDecodedInSlotMax = 1U << 20;
constexpr std::uint64_t kUncountedMax = 64U << 10;  // of what one request decodes to
constexpr std::uint64_t kWokenAtOnce = 64U << 10;   // a body that took longer than waking a thread
constexpr std::string_view kJsonLength = "inference-header-content-length";

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

/// Whether decoding may take as long as many runs do.
bool ApiHandler::takes_long_to_decode(const Exchange& exchange) {
  if (exchange.body.size > kDecodedInSlotMax || exchange.head.header("content-encoding")) {
    return true;
  }
  const auto format = infer_format(exchange.head);
  return format.ok() && format.value() == BodyFormat::npz;
}

void ApiHandler::start_infer(const ExchangePtr& exchange) {
  auto record = find_served(*exchange, Right::infer);
  if (!record.ok()) {
    answer(*exchange, ErrorResponse::of(record.error()));
    return;
  }
  auto begun = parts_.quotas.begin(exchange->caller->id());
  if (const auto* refusal = std::get_if<QuotaRefusal>(&begun)) {
    answer(*exchange, ErrorResponse::of_quota(*refusal));
    return;
  }
  exchange->run = std::move(std::get<std::unique_ptr<Quotas::Run>>(begun));
  exchange->record = std::make_shared<const VersionRecord>(std::move(record).value());
  exchange->deadline = exchange->since + settings_.request_time_max;
  exchange->peer_gone = std::make_shared<std::atomic<std::uint32_t>>(0);
  exchange->responder->on_peer_gone([gone = exchange->peer_gone] { gone->store(1); });
  if (parts_.models.is_resident(exchange->record->ref)) {
    const bool small = exchange->body.size < kWokenAtOnce;
    enqueue_infer(exchange, small ? JobQueue::Wake::later : JobQueue::Wake::now);
    return;
  }
  // An execution slot is for running: waiting for a load happens elsewhere.
  const Status queued = parts_.queues.loads.push([this, exchange] {
    RunControl control(exchange->deadline, exchange->peer_gone.get(), 1);
    control.set_caller(exchange->caller->id().value);
    auto loaded = parts_.models.await(*exchange->record, control);
    if (!loaded.ok()) {
      answer(*exchange, ErrorResponse::of(loaded.error()));
      return;
    }
    exchange->lease = std::move(loaded).value();
    enqueue_infer(exchange, JobQueue::Wake::now);
  }, exchange->caller->id().value);
  if (!queued.ok()) answer(*exchange, ErrorResponse::of(queued.error()));
}

void ApiHandler::settle() noexcept { parts_.queues.runs.wake(); }

void ApiHandler::enqueue_infer(const ExchangePtr& exchange, JobQueue::Wake wake) {
  if (!takes_long_to_decode(*exchange)) return enqueue_run(exchange, wake);
  // A slot is for running: bombs and long texts are taken apart elsewhere.
  const Status queued = parts_.queues.decoding.push([this, exchange] { decode_apart(exchange); },
                                                    exchange->caller->id().value);
  if (!queued.ok()) answer(*exchange, ErrorResponse::of(queued.error()));
}

void ApiHandler::decode_apart(const ExchangePtr& exchange) {
  auto refused = caught("api.decode", [&]() -> Result<std::optional<HttpResponse>> {
    return prepare(*exchange);
  });
  if (!refused.ok()) return close_exchange(*exchange, ErrorResponse::of(refused.error()));
  if (refused.value()) return close_exchange(*exchange, std::move(*refused.value()));
  enqueue_run(exchange, JobQueue::Wake::now);
}

void ApiHandler::enqueue_run(const ExchangePtr& exchange, JobQueue::Wake wake) {
  const Status queued = parts_.queues.runs.push([this, exchange] { infer(exchange); },
                                                exchange->caller->id().value, wake);
  if (!queued.ok()) answer(*exchange, ErrorResponse::of(queued.error()));
}

/// The body without its coding takes the place of the coded one.
Status ApiHandler::replace_coded(Exchange& exchange, DeflateForm coding, BodyFormat format) const {
  const std::uint64_t bound =
      infer_body_bound(exchange.record->signature, format, settings_.request_bytes_max);
  CLOISTER_ASSIGN(DecodedBody decoded, decode_content(exchange.body.bytes(), coding, bound));
  exchange.body.memory = std::move(decoded.memory);
  exchange.body.size = decoded.size;
  exchange.body.lead = 0;
  return Done{};
}

/// `Cloister-Receipt: want`, or a grant that demands it: then the digest of a body that takes long
/// is taken here, apart from the runs, as whatever else its decoding does.
Status ApiHandler::note_receipt(Exchange& exchange) const {
  const auto wish = exchange.head.header("cloister-receipt");
  const bool demanded =
      parts_.grants.demands_receipt(exchange.caller->id(), exchange.record->ref);
  if (!wish && !demanded) return Done{};
  if (wish && *wish != "want") {
    return Error{Code::invalid, "api.receipt", Detail("Cloister-Receipt: expected \"want\"")};
  }
  CLOISTER_ASSIGN(exchange.receipt,
                  Receipts::wish_for(exchange.head.header("cloister-receipt-nonce")));
  if (takes_long_to_decode(exchange)) exchange.receipt->request = sha256(exchange.body.bytes());
  return Done{};
}

std::optional<HttpResponse> ApiHandler::prepare(Exchange& exchange) const {
  const VersionRecord& record = *exchange.record;
  PreparedInfer prepared;
  prepared.begun = parts_.clock.steady();
  const auto format = infer_format(exchange.head);
  if (!format.ok()) return ErrorResponse::of(format.error());
  const auto answer = answer_format(exchange.head, format.value());
  if (!answer.ok()) return not_acceptable(answer.error());
  prepared.answer = answer.value();
  const auto coding = request_coding(exchange.head);
  if (!coding.ok()) return ErrorResponse::of(coding.error());
  const Status wanted = note_receipt(exchange);
  if (!wanted.ok()) return ErrorResponse::of(wanted.error());
  if (coding.value()) {
    const Status plain = replace_coded(exchange, *coding.value(), format.value());
    if (!plain.ok()) return ErrorResponse::of(plain.error());
  }
  auto request = decode(exchange.head, exchange.body.bytes(), format.value(), record.signature,
                        InferLimits{settings_.request_bytes_max, &memory_});
  if (!request.ok()) return ErrorResponse::of(request.error());
  prepared.request = std::move(request).value();
  // What is decoded waits for a slot: it may be several times what was received.
  if (prepared.request.memory_used > kUncountedMax) {
    auto hold = receiving_->take(exchange.caller->id(), prepared.request.memory_used);
    if (!hold.ok()) return ErrorResponse::of(hold.error());
    prepared.hold = std::move(hold).value();
  }
  if (format.value() != BodyFormat::json) {
    const Status added = add_queried_outputs(exchange.head, prepared.request);
    if (!added.ok()) return ErrorResponse::of(added.error());
  }
  for (const RequestedOutput& each : prepared.request.outputs) {
    prepared.wanted.push_back(each.name);
  }
  const Status checked = Models::check(record, prepared.request.inputs, prepared.wanted);
  if (!checked.ok()) return ErrorResponse::of(checked.error());
  const auto deadline =
      deadline_of(prepared.request, exchange.since, prepared.begun, exchange.deadline);
  if (!deadline.ok()) return ErrorResponse::of(deadline.error());
  prepared.deadline = deadline.value();
  prepared.decoded = parts_.clock.steady();
  exchange.infer = std::move(prepared);
  return std::nullopt;
}

void ApiHandler::infer(const ExchangePtr& exchange) {
  auto response = caught("api.infer", [&]() -> Result<std::optional<HttpResponse>> {
    if (!exchange->infer) {
      auto refused = prepare(*exchange);
      if (refused) return refused;
    }
    if (batch(exchange)) return std::optional<HttpResponse>();
    CLOISTER_ASSIGN(BatchShare share, run_alone(*exchange));
    return std::optional<HttpResponse>(finish(*exchange, std::move(share), Execution::alone));
  });
  if (!response.ok()) {
    close_exchange(*exchange, ErrorResponse::of(response.error()));
  } else if (response.value()) {
    close_exchange(*exchange, std::move(*response.value()));
  }
}

/// Wipes what was received and decoded, and ends what it counts for.
void ApiHandler::forget_inputs(Exchange& exchange) noexcept {
  exchange.infer->request.inputs.clear();
  exchange.infer->request.memory = PrivateMemory();
  exchange.infer->hold.reset();
  exchange.body = RequestBody();
}

void ApiHandler::close_exchange(Exchange& exchange, HttpResponse response) const {
  // The body's memory and what it counts for end with the work, not with sending the answer.
  exchange.infer.reset();
  exchange.body = RequestBody();
  answer(exchange, std::move(response));
}

bool ApiHandler::batch(const ExchangePtr& exchange) {
  const auto options = parts_.models.options_of(exchange->record->ref.model);
  PreparedInfer& prepared = *exchange->infer;
  if (options->batch_max == 0 || !can_batch(exchange->record->signature)) return false;
  const auto& inputs = prepared.request.inputs;
  const std::uint64_t rows = inputs.front().tensor.shape.front();
  const bool even = std::all_of(inputs.begin(), inputs.end(), [&](const NamedTensorView& each) {
    return each.tensor.shape.front() == rows;
  });
  if (!even || rows == 0) return false;
  prepared.rows = rows;
  if (rows > options->batch_max) return false;
  BatchRequest request;
  request.record = exchange->record;
  request.inputs = inputs;
  request.outputs = prepared.wanted;
  request.whose = exchange->caller->id();
  request.rows = rows;
  request.priority = prepared.request.priority.value_or(0);
  request.deadline = prepared.deadline;
  request.gone = exchange->peer_gone;
  request.done = [this, exchange](Result<BatchShare> share) {
    auto response = caught("api.batch", [&]() -> Result<HttpResponse> {
      if (!share.ok()) return share.error();
      return finish(*exchange, std::move(share).value(), Execution::batched);
    });
    close_exchange(*exchange, response.ok() ? std::move(response).value()
                                            : ErrorResponse::of(response.error()));
  };
  parts_.batcher.add(std::move(request), *options);
  return true;
}

Result<BatchShare> ApiHandler::run_alone(Exchange& exchange) const {
  const PreparedInfer& prepared = *exchange.infer;
  const SteadyTime started = parts_.clock.steady();
  RunControl control(prepared.deadline, exchange.peer_gone.get(), 1);
  control.set_caller(exchange.caller->id().value);
  // A receipt's digest is taken of the body behind the run, if it was not before.
  const bool needs_body = exchange.receipt && !exchange.receipt->request;
  if (!needs_body) control.on_inputs_copied([&exchange] { forget_inputs(exchange); });
  CLOISTER_ASSIGN(Inference inference,
                  parts_.models.run(*exchange.record, prepared.request.inputs, prepared.wanted,
                                    control));
  const SteadyTime finished = parts_.clock.steady();
  auto owner = std::make_shared<Inference>(std::move(inference));
  auto outputs = owner->outputs->tensors();
  return BatchShare{std::move(outputs), std::move(owner), started, started, finished};
}

Result<HttpResponse> ApiHandler::encoded(Exchange& exchange, BatchShare& share) const {
  const PreparedInfer& prepared = *exchange.infer;
  InferResponse response;
  response.model_name = exchange.route.name;
  response.model_version = std::to_string(exchange.record->ref.version.value);
  response.id = prepared.request.id;
  response.outputs = std::move(share.outputs);
  response.owner = std::move(share.owner);
  response.pool = &memory_;
  CLOISTER_ASSIGN(EncodedInfer body,
                  encode(prepared.answer, prepared.request, std::move(response)));
  HttpResponse sent = sent_response(*exchange.record, std::move(body));
  if (const auto form = wanted_coding(exchange.head)) CLOISTER_TRY(encode_content(sent, *form));
  return sent;
}

HttpResponse ApiHandler::finish(Exchange& exchange, BatchShare share, Execution execution) const {
  auto sent = encoded(exchange, share);
  if (!sent.ok()) return not_acceptable(sent.error());
  const PreparedInfer& prepared = *exchange.infer;
  RequestTimes times;
  times.queue = (prepared.begun - exchange.since) + (share.started - prepared.decoded);
  times.input = (prepared.decoded - prepared.begun) + (share.gathered - share.started);
  times.infer = share.finished - share.gathered;
  exchange.compute = times.infer;
  times.output = parts_.clock.steady() - share.finished;
  parts_.statistics.succeeded(exchange.record->ref, times, prepared.rows, parts_.clock.utc());
  if (execution == Execution::alone) {
    parts_.statistics.executed(exchange.record->ref, prepared.rows, times);
  }
  const Status signed_for = add_receipt(exchange, sent.value());
  if (!signed_for.ok()) return ErrorResponse::of(signed_for.error());
  return std::move(sent).value();
}

Status ApiHandler::add_receipt(const Exchange& exchange, HttpResponse& response) const {
  if (!exchange.receipt) return Done{};
  const auto compute = std::chrono::duration_cast<std::chrono::microseconds>(exchange.compute);
  CLOISTER_ASSIGN(std::string receipt,
                  parts_.receipts.sign(*exchange.receipt, *exchange.record,
                                       exchange.body.bytes(), response.body.pieces, compute));
  response.headers.push_back({"cloister-receipt", std::move(receipt)});
  return Done{};
}

}  // namespace cloister
