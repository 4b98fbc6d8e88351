#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "verifier/judge.h"
#include "verifier/vectors_for_test.h"

namespace cloister {
namespace {

/// A real quote, its collateral and a time inside of it; every test changes one thing.
struct Genuine {
  ByteVector quote;
  Endorsements endorsements;
  UtcSeconds now;

  explicit Genuine(std::string_view id) {
    const JsonValue& vector = vector_named(id);
    quote = file_content(vectors_folder() / text_in(vector, "quote"));
    endorsements = collateral_in(vector);
    now = time_in(vector, "verify_at");
  }
  Verdict judge() const {
    const Policy policy;
    return judge_quote(quote, {endorsements, policy, production_anchors(), now});
  }
  std::string rule() const { return first_rule(judge()); }
  std::string rule_with_flip(std::size_t at) const {
    Genuine changed = *this;
    changed.quote[at] ^= std::byte{1};
    return changed.rule();
  }
};

struct Region {
  const char* name;
  std::size_t at;
  const char* rule;
};

void expect_regions(std::string_view id, const std::vector<Region>& regions) {
  const Genuine genuine(id);
  for (const Region& region : regions) {
    EXPECT_EQ(genuine.rule_with_flip(region.at), region.rule) << id << " " << region.name;
  }
}

TEST(IntelMutants, OfASgxQuoteAreRefusedByTheRegionThatChanged) {
  CLOISTER_NEEDS_VECTORS();
  expect_regions("v3_client_confsw", {{"user data", 30, "quote-signature"},
                                      {"body", 48, "quote-signature"},
                                      {"mrenclave", 48 + 64, "quote-signature"},
                                      {"report data", 368, "quote-signature"},
                                      {"signature", 436, "quote-signature"},
                                      {"key", 500, "qe-hash"},
                                      {"QE report", 564, "qe-signature"},
                                      {"QE report data", 564 + 320, "qe-signature"},
                                      {"QE signature", 948, "qe-signature"},
                                      {"QE authentication", 1014, "qe-hash"},
                                      {"PEM", 1052, "chain"},
                                      {"PEM content", 1052 + 400, "chain"}});
}

TEST(IntelMutants, OfATdxQuoteAreRefusedByTheRegionThatChanged) {
  CLOISTER_NEEDS_VECTORS();
  expect_regions("v4_dstack_uptodate", {{"TEE_TCB_SVN", 48, "quote-signature"},
                                        {"MRSIGNERSEAM", 112, "quote-signature"},
                                        {"SEAMATTR", 160, "quote-signature"},
                                        {"TDATTR", 168, "quote-signature"},
                                        {"MRTD", 184, "quote-signature"},
                                        {"RTMR0", 376, "quote-signature"},
                                        {"report data", 568, "quote-signature"},
                                        {"signature", 636, "quote-signature"},
                                        {"key", 700, "qe-hash"},
                                        {"outer type", 764, "unsupported"},
                                        {"QE report", 770, "qe-signature"},
                                        {"QE signature", 1154, "qe-signature"},
                                        {"QE authentication", 1220, "qe-hash"},
                                        {"PEM", 1258, "chain"}});
  expect_regions("v5_uptodate", {{"body type", 48, "format"},
                                 {"body size", 50, "format"},
                                 {"MRTD", 190, "quote-signature"},
                                 {"TEE_TCB_SVN_2", 638, "quote-signature"},
                                 {"MRSERVICETD", 654, "quote-signature"},
                                 {"signature", 706, "quote-signature"},
                                 {"key", 770, "qe-hash"},
                                 {"QE report", 840, "qe-signature"},
                                 {"QE signature", 1224, "qe-signature"},
                                 {"PEM", 1328, "chain"}});
}

TEST(IntelMutants, NeverHoldWithAnyFlippedByteOrAnyTruncation) {
  CLOISTER_NEEDS_VECTORS();
  for (const std::string_view id : {"v3_client_confsw", "v5_uptodate"}) {
    Genuine genuine(id);
    genuine.endorsements = {};
    for (std::size_t i = 0; i < genuine.quote.size(); ++i) {
      Genuine changed = genuine;
      changed.quote[i] ^= std::byte{1};
      EXPECT_FALSE(changed.judge().authentic) << id << " byte " << i;
      changed.quote = copy_of(Bytes(genuine.quote).first(i));
      EXPECT_EQ(changed.rule(), "format") << id << " size " << i;
    }
  }
}

TEST(IntelMutants, IgnoreBytesAfterTheAuthenticationData) {
  CLOISTER_NEEDS_VECTORS();
  Genuine genuine("v4_gcp_uptodate_2026-01");
  const std::string before = verdict_json(genuine.judge());
  for (std::size_t i = genuine.quote.size() - 3065; i < genuine.quote.size(); ++i) {
    genuine.quote[i] = std::byte{0xA5};
  }
  EXPECT_EQ(verdict_json(genuine.judge()), before);
  genuine.quote.resize(genuine.quote.size() - 3065);
  EXPECT_EQ(verdict_json(genuine.judge()), before);
}

/// Sets a little-endian number of `width` bytes.
void set_number(ByteVector& bytes, std::size_t at, std::size_t width, std::uint64_t value) {
  for (std::size_t i = 0; i < width; ++i) bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
}

std::uint64_t number_at(const ByteVector& bytes, std::size_t at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = width; i-- > 0;) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[at + i]);
  }
  return value;
}

TEST(IntelMutants, WithAWrongLengthDoNotParse) {
  CLOISTER_NEEDS_VECTORS();
  struct Length {
    const char* id;
    std::size_t at, width;
  };
  for (const Length& length :
       {Length{"v3_client_confsw", 432, 4}, {"v3_client_confsw", 1012, 2},
        {"v3_client_confsw", 1048, 4}, {"v4_dstack_uptodate", 632, 4},
        {"v4_dstack_uptodate", 766, 4}, {"v4_dstack_uptodate", 1218, 2},
        {"v4_dstack_uptodate", 1254, 4}, {"v5_uptodate", 50, 4}, {"v5_uptodate", 702, 4},
        {"v5_uptodate", 836, 4}, {"v5_uptodate", 1324, 4}}) {
    const Genuine genuine(length.id);
    const std::uint64_t right = number_at(genuine.quote, length.at, length.width);
    const std::uint64_t largest = length.width == 2 ? 0xFFFF : 0xFFFFFFFF;
    for (const std::uint64_t wrong : {std::uint64_t{0}, right - 1, right + 1, largest}) {
      Genuine changed = genuine;
      set_number(changed.quote, length.at, length.width, wrong);
      const std::string rule = changed.rule();
      EXPECT_TRUE(rule == "format" || rule == "unsupported")
          << length.id << " at " << length.at << " = " << wrong << ": " << rule;
    }
  }
}

TEST(IntelMutants, WithCollateralOfAnotherPlatformOrEnclaveAreRefused) {
  CLOISTER_NEEDS_VECTORS();
  Genuine genuine("v4_dstack_uptodate");
  const Genuine other("v4_gcp_outofdate");
  const Genuine enclave("v3_client_confsw");
  Genuine changed = genuine;
  changed.endorsements.tcb_info = other.endorsements.tcb_info;
  EXPECT_EQ(changed.rule(), "fmspc");
  changed = genuine;
  changed.endorsements.tcb_info = enclave.endorsements.tcb_info;
  EXPECT_EQ(changed.rule(), "tcb-info-id");
  changed = genuine;
  changed.endorsements.qe_identity = enclave.endorsements.qe_identity;
  EXPECT_EQ(changed.rule(), "qe-identity-id");
  changed = genuine;
  changed.endorsements.pck_crl = enclave.endorsements.pck_crl;  // Processor CA's, not Platform CA's
  EXPECT_EQ(changed.rule(), "crl-issuer");
  changed = genuine;
  std::swap(changed.endorsements.root_crl, changed.endorsements.pck_crl);
  EXPECT_EQ(changed.rule(), "crl-issuer");
  changed = genuine;
  changed.endorsements.qe_identity = other.endorsements.qe_identity;  // of another day
  EXPECT_NE(changed.rule(), "none");
}

void replace(ByteVector& bytes, std::string_view from, std::string_view to) {
  std::string text(text_of(bytes));
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, from.size(), to);
  bytes = copy_of(bytes_of(text));
}

TEST(IntelMutants, WithChangedCollateralAreRefused) {
  CLOISTER_NEEDS_VECTORS();
  const Genuine genuine("v4_dstack_uptodate");
  const auto with_tcb = [&genuine](std::string_view from, std::string_view to) {
    Genuine changed = genuine;
    replace(changed.endorsements.tcb_info, from, to);
    return changed.rule();
  };
  EXPECT_EQ(with_tcb("\"id\":\"TDX\",\"version\":3", "\"version\":3,\"id\":\"TDX\""),
            "collateral-signature");
  EXPECT_EQ(with_tcb("\"id\":\"TDX\",", "\"id\":\"TDX\", "), "collateral-signature");
  EXPECT_EQ(with_tcb("\"svn\":5", "\"svn\":4"), "collateral-signature");
  EXPECT_EQ(with_tcb("\"pcesvn\":11", "\"pcesvn\":1"), "collateral-signature");
  EXPECT_EQ(with_tcb("\"pcesvn\":11", "\"pcesvn\":111"), "collateral-signature");
  EXPECT_EQ(with_tcb("\"pcesvn\":11", "\"pcesvn\":11,\"pcesvn\":11"), "collateral-format");
  Genuine changed = genuine;
  replace(changed.endorsements.qe_identity, "\"isvprodid\":2", "\"isvprodid\":1");
  EXPECT_EQ(changed.rule(), "collateral-signature");
  for (ByteVector Endorsements::* list : {&Endorsements::root_crl, &Endorsements::pck_crl}) {
    changed = genuine;
    ByteVector& crl = changed.endorsements.*list;
    crl[crl.size() - 1] ^= std::byte{1};
    EXPECT_EQ(changed.rule(), "crl-signature");
    crl.resize(crl.size() - 1);
    EXPECT_EQ(changed.rule(), "collateral-format");
    crl.clear();
    EXPECT_EQ(changed.rule(), "collateral-missing");
  }
  changed = genuine;
  replace(changed.endorsements.tcb_signing_chain, "MII", "MIJ");
  EXPECT_EQ(changed.rule(), "chain");
}

TEST(IntelMutants, ArePolicedByAgeAndEvaluationNumber) {
  CLOISTER_NEEDS_VECTORS();
  const Genuine genuine("v4_dstack_uptodate");
  const auto rule = [&genuine](const Policy& policy) {
    return first_rule(judge_quote(
        genuine.quote, {genuine.endorsements, policy, production_anchors(), genuine.now}));
  };
  Policy policy;
  policy.evaluation_number_min = 18;
  EXPECT_EQ(rule(policy), "evaluation-number");
  policy = {};
  policy.collateral_age_max = std::chrono::days(1);
  EXPECT_EQ(rule(policy), "collateral-age");
}

TEST(IntelMutants, AreAcceptedOnlyWhenPinned) {
  CLOISTER_NEEDS_VECTORS();
  const Genuine genuine("v4_dstack_uptodate");
  const auto judge = [&genuine](const Policy& policy) {
    return judge_recorded_evidence({{{"td.quote", genuine.quote}}, "", {}}, genuine.endorsements,
                                   policy, genuine.now);
  };
  EXPECT_EQ(rules_of(judge(Policy())), std::vector<std::string>{"not-pinned"});
  Policy policy;
  policy.tdx["mrtd"] = {copy_of(Bytes(genuine.quote).subspan(184, 48))};
  EXPECT_TRUE(judge(policy).accepted());
  policy.tdx["rtmr3"] = {ByteVector(48, std::byte{1})};
  EXPECT_EQ(rules_of(judge(policy)), std::vector<std::string>{"measurement"});
  policy.tdx.erase("rtmr3");
  policy.kinds = {EvidenceKind::sgx};
  EXPECT_EQ(rules_of(judge(policy)), std::vector<std::string>{"kind"});
}

TEST(IntelMutants, OfServiceTdsAndAttributesAreRefusedByDefault) {
  CLOISTER_NEEDS_VECTORS();
  const auto rules = [](std::string_view id) {
    const Verdict verdict = Genuine(id).judge();
    const std::vector<std::string> list = rules_of(verdict);
    return std::set<std::string>(list.begin(), list.end());
  };
  EXPECT_EQ(rules("v5_outofdate_servicetd"), (std::set<std::string>{"migratable", "service-td"}));
  EXPECT_EQ(rules("v5_alibaba_servicetd"), std::set<std::string>{"service-td"});
  EXPECT_EQ(rules("v4_no_sept_ve_disable"), std::set<std::string>{"sept-ve-disable"});
}

}  // namespace
}  // namespace cloister
