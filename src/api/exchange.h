#pragma once

#include <memory>
#include <optional>

#include "api/api_handler.h"
#include "engine/engine.h"

namespace cloister {

/// One request on its way through a queue, with who asked it.
struct ApiHandler::Exchange {
  HttpRequestHead head;
  RequestBody body;
  std::shared_ptr<Responder> responder;
  Route route;
  std::optional<Caller> caller;         ///< nothing for the public routes
  std::optional<VersionRecord> record;  ///< infer: the version that the request means
  std::shared_ptr<RunControl> control;  ///< infer: cancelled when the peer goes away
  std::uint64_t bytes_in = 0;           ///< of the body as received
  SteadyTime since{};                   ///< when the body was complete
};

}  // namespace cloister
