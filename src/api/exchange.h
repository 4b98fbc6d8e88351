#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "api/api_handler.h"

namespace cloister {

/// One request on its way through a queue, with who asked it.
struct ApiHandler::Exchange {
  HttpRequestHead head;
  RequestBody body;
  std::shared_ptr<Responder> responder;
  Route route;
  std::optional<Caller> caller;         ///< nothing for the public routes
  std::optional<VersionRecord> record;  ///< infer: the version that the request means
  /// infer: 1 once the peer went away. Apart, so that who watches the peer holds no exchange.
  std::shared_ptr<std::atomic<std::uint32_t>> peer_gone;
  SteadyTime deadline{};       ///< infer: of everything, the wait for a load included
  std::uint64_t bytes_in = 0;  ///< of the body as received
  SteadyTime since{};          ///< when the body was complete
};

}  // namespace cloister
