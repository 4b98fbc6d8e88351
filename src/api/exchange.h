#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "api/api_handler.h"
#include "api/body_limits.h"
#include "http/infer_codec.h"

namespace cloister {

/// An inference that is decoded and checked, and not run yet.
struct PreparedInfer {
  std::shared_ptr<void> hold;  ///< counts the request's own memory against who asked
  InferRequest request;
  BodyFormat answer = BodyFormat::json;
  std::vector<std::string> wanted;  ///< outputs by name; empty: all
  std::uint64_t rows = 1;           ///< what it counts in statistics: its batch's size
  SteadyTime begun{};               ///< when decoding began
  SteadyTime decoded{};
  SteadyTime deadline{};
};

/// What a request was about, once it is clear that who asks may know of it: for the audit trail.
struct Concerned {
  std::optional<ModelId> model;
  std::optional<VersionNumber> version;
  std::optional<Sha256Digest> sha256;
  PrincipalId principal;
};

/// One request on its way through a queue, with who asked it.
struct ApiHandler::Exchange {
  HttpRequestHead head;
  RequestBody body;  ///< of an inference unchanged, but for its coding, until its run has a copy
  std::shared_ptr<Responder> responder;
  Route route;
  std::optional<Caller> caller;         ///< nothing for the public routes
  /// infer: the version that the request means
  std::shared_ptr<const VersionRecord> record;
  std::optional<PreparedInfer> infer;
  /// infer: 1 once the peer went away. Apart, so that who watches the peer holds no exchange.
  std::shared_ptr<std::atomic<std::uint32_t>> peer_gone;
  std::optional<Lease> lease;  ///< infer: keeps the model that was waited for until it has run
  SteadyTime deadline{};       ///< infer: of everything, the wait for a load included
  std::uint64_t bytes_in = 0;  ///< of the body as received
  std::optional<ReceiptWish> receipt;   ///< infer: where one is wanted
  SteadyTime::duration compute{};       ///< infer: what the run took
  std::unique_ptr<Quotas::Run> run;     ///< infer: counts against a quota; null without one
  SteadyTime since{};          ///< when the body was complete
  std::optional<Concerned> concerned;
};

}  // namespace cloister
