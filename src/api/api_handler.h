#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "access/audit_trail.h"
#include "access/certificates.h"
#include "access/grants.h"
#include "access/principals.h"
#include "access/quotas.h"
#include "access/usage_ledger.h"
#include "api/body_limits.h"
#include "api/rate_budget.h"
#include "api/receiving_budget.h"
#include "api/responses.h"
#include "api/routes.h"
#include "base/clock.h"
#include "http/message.h"
#include "observe/events.h"
#include "observe/request_counters.h"
#include "serving/attestation.h"
#include "serving/batcher.h"
#include "serving/job_queue.h"
#include "serving/models.h"
#include "serving/receipts.h"
#include "serving/sealed_uploads.h"
#include "tensor/deflate.h"

namespace cloister {

struct ApiSettings {
  std::uint64_t upload_bytes_max = 2ULL << 30;
  std::uint64_t request_bytes_max = 64ULL << 20;
  std::uint64_t receiving_bytes_per_principal_max = 4ULL << 30;
  std::uint32_t requests_per_second_max = 0;  ///< of one principal; 0: no bound
  std::chrono::seconds request_time_max{60};
  std::chrono::seconds upload_time_max{3600};
};

/// The threads that requests are done on, apart by cost, so that the dear ones never hold up the
/// cheap ones. All of them outlive the handler.
struct ApiQueues {
  JobQueue& runs;      ///< decoding, running and encoding: the execution slots
  JobQueue& decoding;  ///< requests that take long to decode: coded, compressed, large
  JobQueue& loads;     ///< requests that wait until their model is in memory
  JobQueue& uploads;   ///< admission and sealing
  JobQueue& control;   ///< lists, tokens, erasing and unloading
  JobQueue& evidence;  ///< for anybody who asks, so that strangers wait for nobody but strangers
};

/// HTTP requests to use cases, and errors to answers. Everything here is cheap; what may take long
/// is handed to a queue. Safe from several threads.
class ApiHandler final : public RequestHandler {
 public:
  struct Parts {
    Models& models;
    Principals& principals;
    Grants& grants;
    Quotas& quotas;
    Certificates& certificates;
    UsageLedger& usage;
    AuditTrail& audit;
    const Receipts& receipts;
    const SealedUploads& sealed;
    const Attestation& attestation;
    const Clock& clock;
    Statistics& statistics;
    Batcher& batcher;
    RequestCounters& counters;
    EventSink* requests;  ///< told of every request; null where nobody wants to know
    ApiQueues queues;
  };
  ApiHandler(Parts parts, ServerDescription server, ApiSettings settings);

  HeadDecision decide(const HttpRequestHead& head) override;
  void handle(HttpRequestHead head, RequestBody body,
              std::shared_ptr<Responder> responder) override;
  void settle() noexcept override;

 private:
  /// One request on its way through a queue.
  struct Exchange;
  struct ExportForm;
  using ExchangePtr = std::shared_ptr<Exchange>;

  HeadDecision plan_or_refuse(const HttpRequestHead& head);
  Result<Caller> authenticate(const HttpRequestHead& head) const;
  Result<Caller> authenticate_certificate(const HttpRequestHead& head) const;
  Result<BodyPlan> plan_body(const HttpRequestHead& head, const Route& route, const Caller& caller);
  Result<BodyPlan> plan_upload(const HttpRequestHead& head, const Route& route,
                               const Caller& caller);
  Result<BodyPlan> plan_infer(const HttpRequestHead& head, const Route& route,
                              const Caller& caller);
  Result<BodyPlan> plan_load(const HttpRequestHead& head, const Caller& caller);
  void answer_public(const ExchangePtr& exchange);
  void answer_own(const ExchangePtr& exchange);
  void enqueue(JobQueue& queue, const ExchangePtr& exchange,
               HttpResponse (ApiHandler::*work)(Exchange&));
  /// The answer, whose memory counts against who asked until it is sent, however slowly he reads;
  /// or the refusal where he has too much already.
  HttpResponse counted(const Exchange& exchange, HttpResponse response) const;
  /// Sends the answer and tells the log. The last thing that happens to an exchange.
  void answer(Exchange& exchange, HttpResponse made) const;
  void report(const Exchange& exchange, const HttpResponse& response) const;
  /// Puts into the audit trail what was done or refused, if it is of the kind that belongs there.
  /// Fails: as the trail does.
  Status note(const Exchange& exchange, const HttpResponse& response) const;
  Status note(const Exchange& exchange, AuditAction action, AuditOutcome outcome) const;
  void tell(const RequestFinished& event) const;
  /// The version that the path means, for a caller who has `right`, or any right.
  Result<VersionRecord> find_model(const Exchange& exchange, std::optional<Right> right) const;
  Result<VersionRecord> find_served(const Exchange& exchange, std::optional<Right> right) const;
  Result<ModelId> own_model(Exchange& exchange) const;

  HttpResponse list_models(Exchange& exchange);
  HttpResponse describe(Exchange& exchange);
  HttpResponse config(Exchange& exchange);
  HttpResponse statistics(Exchange& exchange);
  HttpResponse model_ready(Exchange& exchange);
  HttpResponse upload(Exchange& exchange);
  HttpResponse erase(Exchange& exchange);
  HttpResponse load(Exchange& exchange);
  /// Stores what a load request brings along; the version that is to be loaded then.
  Result<std::optional<VersionNumber>> take_override(Exchange& exchange, const ModelId& model,
                                                     std::optional<HttpResponse>& refused);
  HttpResponse unload(Exchange& exchange);
  HttpResponse tokens(Exchange& exchange);
  HttpResponse list_principals(Exchange& exchange);
  HttpResponse create_principal(Exchange& exchange);
  HttpResponse remove_principal(Exchange& exchange);
  HttpResponse list_grants(Exchange& exchange);
  HttpResponse give_grant(Exchange& exchange);
  HttpResponse take_back_grant(Exchange& exchange);
  HttpResponse quota(Exchange& exchange);
  HttpResponse authorities(Exchange& exchange);
  HttpResponse list_authorities(const Exchange& exchange) const;
  HttpResponse certificate(Exchange& exchange);
  HttpResponse usage(Exchange& exchange);
  HttpResponse audit(Exchange& exchange);
  /// `members`: of the export's JSON object, beside what every export says of itself.
  HttpResponse exported(const Exchange& exchange, const ExportForm& form,
                        std::string_view members) const;
  HttpResponse attest(Exchange& exchange);
  void start_infer(const ExchangePtr& exchange);
  void enqueue_infer(const ExchangePtr& exchange, JobQueue::Wake wake);
  static bool takes_long_to_decode(const Exchange& exchange);
  void enqueue_run(const ExchangePtr& exchange, JobQueue::Wake wake);
  void decode_apart(const ExchangePtr& exchange);
  void infer(const ExchangePtr& exchange);
  static void forget_inputs(Exchange& exchange) noexcept;
  void close_exchange(Exchange& exchange, HttpResponse response) const;
  /// Decodes and checks; the answer where that fails.
  std::optional<HttpResponse> prepare(Exchange& exchange) const;
  /// Hands it to the batcher, if the model's owner wants that. False where it is to run alone.
  bool batch(const ExchangePtr& exchange);
  Result<BatchShare> run_alone(Exchange& exchange) const;
  /// Who counts the run: this, or the batcher for all of its requests together.
  enum class Execution { alone, batched };
  HttpResponse finish(Exchange& exchange, BatchShare share, Execution execution) const;
  Status note_receipt(Exchange& exchange) const;
  Status add_receipt(const Exchange& exchange, HttpResponse& response) const;
  Status replace_coded(Exchange& exchange, DeflateForm coding, BodyFormat format) const;
  Result<HttpResponse> encoded(Exchange& exchange, BatchShare& share) const;

  Parts parts_;
  ServerDescription server_;
  ApiSettings settings_;
  std::shared_ptr<ReceivingBudget> receiving_;
  RateBudget rate_;
  mutable PrivateMemoryPool memory_;  ///< for tensors out of text, and for answers' text
};

}  // namespace cloister
