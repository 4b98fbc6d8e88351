#pragma once

#include <memory>

#include "base/result.h"
#include "config/server_config.h"
#include "engine/engine.h"
#include "net/metrics_listener.h"
#include "observe/request_counters.h"
#include "residency/residency.h"
#include "serving/job_queue.h"
#include "serving/model_options.h"
#include "serving/statistics.h"

namespace cloister {

/// What the metrics are read from, when somebody asks; all of it outlives the listener.
struct MetricsSources {
  const RequestCounters& requests;
  const Statistics& statistics;
  const OptionsBook& options;
  const Residency& residency;
  const Engine& engine;
  const JobQueue& runs;
  const JobQueue& loads;
  const JobQueue& uploads;
};

/// Everything in Prometheus' text format. No model's and no principal's name is in it but those of
/// models whose owners let them be shown.
std::string metrics_text(const MetricsSources& sources, const ServerConfig& config);

/// Starts the listener and says where it is; null where the configuration wants none.
/// Fails: `io`, `invalid`.
Result<std::unique_ptr<MetricsListener>> start_metrics(const ServerConfig& config,
                                                       const MetricsSources& sources);

}  // namespace cloister
