#include "hostile_models/hostile_models.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <variant>

#include "graph/admission.h"
#include "graph/describe.h"

namespace cloister {
namespace {

constexpr long kPeakExtraKibMax = 64L << 10;
constexpr std::chrono::seconds kTimeMax{1};

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

TEST(Admission, RefusesEachHostileModelByItsRuleInTimeAndMemory) {
  const GraphAdmission admission{AdmissionBudget{}};
  long worst_kib = 0;
  std::chrono::nanoseconds worst_time{0};
  for (const HostileModel& model : hostile_models()) {
    const long before = reset_peak_kib();
    const auto start = std::chrono::steady_clock::now();
    const AdmissionVerdict verdict = admission.admit(model.bytes);
    const auto took = std::chrono::steady_clock::now() - start;
    const long extra = status_kib("VmHWM") - before;
    const auto* findings = std::get_if<std::vector<Finding>>(&verdict);
    ASSERT_NE(findings, nullptr) << model.name << " was accepted";
    ASSERT_FALSE(findings->empty()) << model.name;
    const bool found = std::any_of(
        findings->begin(), findings->end(), [&](const Finding& finding) {
          const bool family = model.rule.ends_with('-') && finding.rule.starts_with(model.rule);
          return model.rule.empty() || family || finding.rule == model.rule;
        });
    EXPECT_TRUE(found) << model.name << " wants " << model.rule << "\n"
                       << describe_admission(verdict);
    worst_kib = std::max(worst_kib, extra);
    worst_time = std::max<std::chrono::nanoseconds>(worst_time, took);
    if (!kMeasured) continue;
    EXPECT_LT(extra, kPeakExtraKibMax) << model.name;
    EXPECT_LT(took, kTimeMax) << model.name;
  }
  RecordProperty("worst_extra_kib", std::to_string(worst_kib));
  RecordProperty("worst_microseconds", std::to_string(worst_time.count() / 1000));
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
