#include "metrics.h"

#include <cstdio>

#include "base/posix/process.h"
#include "observe/metrics_text.h"

namespace cloister {
namespace {

using Kind = MetricsText::Kind;

double seconds(std::chrono::nanoseconds time) {
  return static_cast<double>(time.count()) / 1e9;
}

/// One row of a family: what it counts of a version.
struct VersionFamily {
  Place name;
  Place help;
  double (*value)(const VersionStatistics&);
};

double microseconds(const DurationCount& duration) {
  return static_cast<double>(duration.time.count()) / 1e3;
}

const VersionFamily kVersionFamilies[] = {
    {"nv_inference_request_success", "Inference requests answered.",
     [](const VersionStatistics& s) { return static_cast<double>(s.success.count); }},
    {"nv_inference_request_failure", "Inference requests refused or failed.",
     [](const VersionStatistics& s) { return static_cast<double>(s.fail.count); }},
    {"nv_inference_count", "Inferences: a batch of n counts n.",
     [](const VersionStatistics& s) { return static_cast<double>(s.inferences); }},
    {"nv_inference_exec_count", "Runs of models.",
     [](const VersionStatistics& s) { return static_cast<double>(s.executions); }},
    {"nv_inference_request_duration_us", "Time of answered requests, in microseconds.",
     [](const VersionStatistics& s) { return microseconds(s.success); }},
    {"nv_inference_queue_duration_us", "Time that requests waited, in microseconds.",
     [](const VersionStatistics& s) { return microseconds(s.queue); }},
    {"nv_inference_compute_input_duration_us", "Time of decoding requests, in microseconds.",
     [](const VersionStatistics& s) { return microseconds(s.input); }},
    {"nv_inference_compute_infer_duration_us", "Time of running models, in microseconds.",
     [](const VersionStatistics& s) { return microseconds(s.infer); }},
    {"nv_inference_compute_output_duration_us", "Time of encoding answers, in microseconds.",
     [](const VersionStatistics& s) { return microseconds(s.output); }},
};

/// Versions whose owner lets their name be shown have samples of their own; all others are one.
void write_versions(const MetricsSources& sources, MetricsText& out) {
  const auto versions = sources.statistics.all();
  for (const VersionFamily& family : kVersionFamilies) {
    out.family(family.name, Kind::counter, family.help);
    double unnamed = 0;
    for (const auto& [ref, statistics] : versions) {
      const double value = family.value(statistics);
      if (sources.options.of(ref.model)->name_in_metrics) {
        out.sample("model", ref.model.owner.value + "." + ref.model.name, "version",
                   std::to_string(ref.version.value), value);
      } else {
        unnamed += value;
      }
    }
    out.sample(unnamed);
  }
}

void write_residency(const MetricsSources& sources, const ServerConfig& config, MetricsText& out) {
  const ResidencyCounts counts = sources.residency.counts();
  const auto counter = [&](Place name, Place help, double value) {
    out.family(name, Kind::counter, help);
    out.sample(value);
  };
  const auto gauge = [&](Place name, Place help, double value) {
    out.family(name, Kind::gauge, help);
    out.sample(value);
  };
  gauge("cloister_models_loaded", "Versions in memory.",
        static_cast<double>(sources.residency.resident().size()));
  gauge("cloister_models_loaded_bytes", "Memory that versions in memory take.",
        static_cast<double>(sources.residency.resident_bytes()));
  gauge("cloister_models_budget_bytes", "Memory that they may take together.",
        static_cast<double>(config.memory_budget_bytes));
  counter("cloister_cold_starts_total", "Versions loaded.", static_cast<double>(counts.loads));
  counter("cloister_cold_start_seconds_total", "Time of loading them.", seconds(counts.load_time));
  counter("cloister_failed_loads_total", "Loads that failed.",
          static_cast<double>(counts.failed_loads));
  counter("cloister_evictions_total", "Idle versions put out of memory to make room.",
          static_cast<double>(counts.evictions));
  counter("cloister_worker_restarts_total",
          "Models' processes that died or had to be ended, and were replaced.",
          static_cast<double>(sources.engine.worker_deaths()));
}

void write_process(const MetricsSources& sources, MetricsText& out) {
  out.family("cloister_queue_length", Kind::gauge, "Jobs that wait for a thread, by queue.");
  out.sample("queue", "runs", static_cast<double>(sources.runs.waiting()));
  out.sample("queue", "loads", static_cast<double>(sources.loads.waiting()));
  out.sample("queue", "uploads", static_cast<double>(sources.uploads.waiting()));
  const ProcessUsage usage = process_usage();
  out.family("process_cpu_seconds_total", Kind::counter, "CPU time of the server's process.");
  out.sample(seconds(usage.cpu_time));
  out.family("process_resident_memory_bytes", Kind::gauge, "Memory of the server's process.");
  out.sample(static_cast<double>(usage.resident_bytes));
}

}  // namespace

std::string metrics_text(const MetricsSources& sources, const ServerConfig& config) {
  MetricsText out;
  write_request_counters(sources.requests, out);
  write_versions(sources, out);
  write_residency(sources, config, out);
  write_process(sources, out);
  return out.text();
}

Result<std::unique_ptr<MetricsListener>> start_metrics(const ServerConfig& config,
                                                       const MetricsSources& sources) {
  if (!config.metrics) return std::unique_ptr<MetricsListener>();
  const auto text = [sources, config] { return metrics_text(sources, config); };
  CLOISTER_ASSIGN(auto listener,
                  start_metrics_listener(config.metrics_address, config.metrics_port, text));
  const bool v6 = config.metrics_address.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + config.metrics_address + "]" : config.metrics_address;
  std::printf("metrics: http://%s:%u/metrics\n", host.c_str(),
              static_cast<unsigned>(listener->port()));
  return listener;
}

}  // namespace cloister
