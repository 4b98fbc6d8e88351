#include <gtest/gtest.h>

#include <algorithm>

#include "encoding/hex.h"
#include "verifier/judge.h"
#include "verifier/vectors_for_test.h"

namespace cloister {
namespace {

std::vector<const JsonValue*> intel_vectors() {
  std::vector<const JsonValue*> all = vectors_of("sgx");
  const std::vector<const JsonValue*> tdx = vectors_of("tdx");
  all.insert(all.end(), tdx.begin(), tdx.end());
  return all;
}

ByteVector quote_of(const JsonValue& vector) {
  return file_content(vectors_folder() / text_in(vector, "quote"));
}

UtcSeconds time_of_vector(const JsonValue& vector) {
  return vector.find("verify_at") != nullptr ? time_in(vector, "verify_at") : todays_date();
}

Verdict judge(Bytes quote, const Endorsements& endorsements, UtcSeconds now) {
  const Policy policy;
  return judge_quote(quote, {endorsements, policy, production_anchors(), now});
}

void expect_claims(const Verdict& verdict, const JsonValue& vector) {
  for (const JsonMember& claim : vector.find("claims")->members()) {
    if (claim.key == "reportdata") {
      EXPECT_EQ(hex_encode(verdict.report_data), claim.value.text());
    } else if (claim.value.text()) {
      EXPECT_EQ(measured_in(verdict, claim.key), claim.value.text()) << claim.key;
    } else {
      EXPECT_EQ(measured_in(verdict, claim.key),
                std::to_string(claim.value.unsigned_integer().value()))
          << claim.key;
    }
  }
}

void expect_status(const Verdict& verdict, const JsonValue& vector) {
  EXPECT_EQ(name_of(verdict.tcb_status), text_in(vector, "expected_tcb_status"));
  std::vector<std::string> advisories;
  for (const JsonValue& item : vector.find("expected_advisories")->items()) {
    advisories.emplace_back(*item.text());
  }
  EXPECT_EQ(verdict.advisories, advisories);
  EXPECT_EQ(verdict.qe_status, text_in(vector, "qe_status"));
  EXPECT_EQ(verdict.tcb_date, text_in(vector, "tcb_date"));
  if (const JsonValue* module = vector.find("tdx_module"); module && module->is_array()) {
    EXPECT_EQ(verdict.module_id, module->items()[0].text());
    EXPECT_EQ(verdict.module_status, module->items()[1].text());
  } else {
    EXPECT_EQ(verdict.module_id, "");
  }
}

TEST(IntelVectors, AgreeFieldByField) {
  CLOISTER_NEEDS_VECTORS();
  for (const JsonValue* vector : intel_vectors()) {
    SCOPED_TRACE(text_in(*vector, "id"));
    const Verdict verdict = judge(quote_of(*vector), collateral_in(*vector),
                                  time_of_vector(*vector));
    expect_claims(verdict, *vector);
    EXPECT_EQ(verdict.debug, vector->find("debug")->boolean());
    EXPECT_EQ(name_of(verdict.kind.value()), text_in(*vector, "tee"));
    const JsonValue& checks = *vector->find("signature_checks");
    const bool genuine = checks.find("qe_sig")->boolean() == true &&
                         checks.find("quote_sig")->boolean() == true;
    EXPECT_EQ(verdict.authentic, genuine) << first_rule(verdict);
    if (!genuine) continue;
    EXPECT_EQ(measured_in(verdict, "fmspc"), text_in(*vector, "fmspc"));
    if (vector->find("collateral") == nullptr) {
      EXPECT_EQ(first_rule(verdict), "collateral-missing");
      continue;
    }
    expect_status(verdict, *vector);
    EXPECT_EQ(verdict.expires, time_in(*vector, "valid_until"));
  }
}

TEST(IntelVectors, AreRefusedByTheirRule) {
  CLOISTER_NEEDS_VECTORS();
  const auto rule = [](std::string_view id) {
    const JsonValue& vector = vector_named(id);
    return first_rule(judge(quote_of(vector), {}, todays_date()));
  };
  EXPECT_EQ(rule("v3_bad_quote_signature"), "quote-signature");
  EXPECT_EQ(rule("v3_certtype3_ppid"), "chain");
}

TEST(IntelVectors, ExpireWithTheirCollateral) {
  CLOISTER_NEEDS_VECTORS();
  for (const JsonValue* vector : intel_vectors()) {
    if (vector->find("collateral") == nullptr) continue;
    const Verdict verdict =
        judge(quote_of(*vector), collateral_in(*vector), todays_date());
    EXPECT_TRUE(verdict.authentic);
    EXPECT_EQ(first_rule(verdict), "collateral-expired") << text_in(*vector, "id");
    EXPECT_EQ(verdict.tcb_status, TcbStatus::not_judged);
  }
}

}  // namespace
}  // namespace cloister
