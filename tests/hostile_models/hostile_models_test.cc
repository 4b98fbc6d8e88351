#include "hostile_models/hostile_models.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <set>
#include <string>
#include <variant>

#include "graph/admission.h"
#include "graph/describe.h"

namespace cloister {
namespace {

constexpr long kPeakExtraKibMax = 64L << 10;
constexpr double kSecondsMax = 1;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasured = false;  // sanitizers multiply time and memory
#else
constexpr bool kMeasured = true;
#endif

long status_kib(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1));
  }
  return 0;
}

/// Starts a new measurement of the peak of resident memory; returns where it stands.
long reset_peak_kib() {
  malloc_trim(0);  // else what was freed before would be taken again without being seen
  std::ofstream("/proc/self/clear_refs") << "5";
  return status_kib("VmRSS");
}

TEST(HostileModels, EachHasANameOfItsOwn) {
  std::set<std::string> names;
  for (const HostileModel& model : hostile_models()) {
    EXPECT_TRUE(names.insert(model.name).second) << model.name;
  }
  EXPECT_GT(names.size(), 200U);
}

/// What one verdict took beside the model itself.
struct Spent {
  long extra_kib = 0;
  double seconds = 0;  ///< of the processor, so that a busy machine does not count
};

AdmissionVerdict admit(const HostileModel& model, Spent& spent) {
  const GraphAdmission admission{AdmissionBudget{}};
  const long before = reset_peak_kib();
  const std::clock_t start = std::clock();
  AdmissionVerdict verdict = admission.admit(model.bytes);
  spent.seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  spent.extra_kib = status_kib("VmHWM") - before;
  if (kMeasured) {
    EXPECT_LT(spent.extra_kib, kPeakExtraKibMax) << model.name;
    EXPECT_LT(spent.seconds, kSecondsMax) << model.name;
  }
  return verdict;
}

bool has_rule(const std::vector<Finding>& findings, const std::string& rule) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    const bool family = rule.ends_with('-') && finding.rule.starts_with(rule);
    return rule.empty() || family || finding.rule == rule;
  });
}

TEST(Admission, RefusesEachHostileModelByItsRuleInTimeAndMemory) {
  Spent worst;
  for (const HostileModel& model : hostile_models()) {
    Spent spent;
    const AdmissionVerdict verdict = admit(model, spent);
    const auto* findings = std::get_if<std::vector<Finding>>(&verdict);
    ASSERT_NE(findings, nullptr) << model.name << " was accepted";
    ASSERT_FALSE(findings->empty()) << model.name;
    EXPECT_TRUE(has_rule(*findings, model.rule))
        << model.name << " wants " << model.rule << "\n" << describe_admission(verdict);
    worst.extra_kib = std::max(worst.extra_kib, spent.extra_kib);
    worst.seconds = std::max(worst.seconds, spent.seconds);
  }
  RecordProperty("worst_extra_kib", std::to_string(worst.extra_kib));
  RecordProperty("worst_milliseconds", std::to_string(1000 * worst.seconds));
}

TEST(Admission, StaysWithinTimeAndMemoryAtItsLimits) {
  for (const HostileModel& model : burdens()) {
    Spent spent;
    const AdmissionVerdict verdict = admit(model, spent);
    const auto* findings = std::get_if<std::vector<Finding>>(&verdict);
    EXPECT_EQ(findings != nullptr, !model.rule.empty()) << describe_admission(verdict);
    if (findings != nullptr) {
      EXPECT_TRUE(has_rule(*findings, model.rule)) << model.name;
    }
    RecordProperty(model.name + "_kib", std::to_string(spent.extra_kib));
    RecordProperty(model.name + "_milliseconds", std::to_string(1000 * spent.seconds));
  }
}

TEST(Admission, NamesNothingButItsRuleForASingleFault) {
  const GraphAdmission admission{AdmissionBudget{}};
  for (const HostileModel& model : hostile_models()) {
    if (!model.rule.starts_with("tree-") && !model.rule.starts_with("external-")) continue;
    const AdmissionVerdict verdict = admission.admit(model.bytes);
    for (const Finding& finding : std::get<std::vector<Finding>>(verdict)) {
      const bool unknown = finding.rule == "attribute-unknown";
      EXPECT_TRUE(finding.rule == model.rule || unknown) << model.name << ": " << finding.rule;
      EXPECT_FALSE(finding.where.empty() || finding.remedy.empty()) << model.name;
    }
  }
}

TEST(Admission, AcceptsLegalModelsThatLookOdd) {
  const GraphAdmission admission{AdmissionBudget{}};
  for (const HostileModel& model : legal_models()) {
    const AdmissionVerdict verdict = admission.admit(model.bytes);
    EXPECT_TRUE(std::holds_alternative<ValidatedModel>(verdict))
        << model.name << "\n" << describe_admission(verdict);
  }
}

}  // namespace
}  // namespace cloister
