// Reports of every product, version and signing key under roots of our own: what nobody published,
// and every refusal of an SEV-SNP report.

#include <gtest/gtest.h>

#include <algorithm>

#include "attestation/p384_key.h"
#include "encoding/hex.h"
#include "verifier/amd/report.h"
#include "verifier/judge.h"
#include "verifier/synthetic_for_test.h"

namespace cloister {
namespace {

constexpr unsigned kAuthoritySerial = 2, kVekSerial = 3;

struct Cpu {
  unsigned family, model;
};
constexpr Cpu kMilan{0x19, 0x01}, kGenoa{0x19, 0x11}, kSiena{0x19, 0xA0}, kTurin{0x1A, 0x02};

/// One platform. Change members, then ask for the verdict.
struct SyntheticAmd {
  SigningKey root = SigningKey::generate_p256().value();
  SigningKey authority = SigningKey::generate_p256().value();
  P384Key chip;
  UtcSeconds now = time_of("2026-06-15T12:00:00Z").value();
  Cpu cpu = kGenoa;
  AmdProduct trusted = AmdProduct::genoa;  ///< whose root the root is
  unsigned version = 3;
  bool is_vlek = false;
  bool vek_has_chip = true, vek_has_provider = false, vek_has_fmc = true, vek_is_ca = false;
  bool chip_is_wrapped = true;
  std::uint64_t guest_policy = 0x30000;
  unsigned vmpl = 0, signer = 0;
  std::array<std::uint8_t, 8> reported{3, 0, 0, 0, 0, 0, 22, 213}, committed = reported,
                              launch = reported;
  ByteVector chip_id = ByteVector(64, std::byte{7});
  ByteVector extensions_tcb = copy_of(std::as_bytes(std::span(reported)));
  std::function<void(ByteVector&)> edit_report;  ///< before it is signed
  std::function<void(Endorsements&)> edit_endorsements;

  void make_turin() {
    cpu = kTurin;
    trusted = AmdProduct::turin;
    reported = {1, 1, 1, 4, 0, 0, 0, 81};
    committed = launch = reported;
    extensions_tcb = copy_of(std::as_bytes(std::span(reported)));
    chip_id = ByteVector(64);
    std::fill_n(chip_id.begin(), 8, std::byte{7});
  }
  void make_vlek() {
    is_vlek = true;
    signer = 1;
    vek_has_chip = false;
    vek_has_provider = true;
    chip_id = ByteVector(64);
  }
  ByteVector report() const;
  ByteVector vek() const;
  ByteVector ark() const {
    return certificate_for_test("ARK", root, "ARK", root, 1, now, authority_constraints());
  }
  Verdict judge(const Policy& policy = {}) const;
  std::string rule(const Policy& policy = {}) const {
    const Verdict verdict = judge(policy);
    return verdict.refusals.empty() ? "none" : name_of(verdict.refusals.front().rule);
  }
  std::string seen() const { return judge().refusals.front().seen; }
};

void put(ByteVector& bytes, std::size_t at, Bytes value) {
  std::ranges::copy(value, bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

ByteVector SyntheticAmd::report() const {
  ByteVector out(kSnpReportBytes);
  const auto number = [&out](std::size_t at, std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) out[at + i] = static_cast<std::byte>(value >> (8 * i));
  };
  number(0, version, 4);
  number(8, guest_policy, 8);
  number(0x30, vmpl, 4);
  number(0x34, 1, 4);
  number(0x48, signer << 2, 4);
  put(out, 0x90, ByteVector(48, std::byte{0x3E}));
  put(out, 0x180, std::as_bytes(std::span(reported)));
  put(out, 0x1A0, chip_id);
  put(out, 0x1E0, std::as_bytes(std::span(committed)));
  put(out, 0x1F0, std::as_bytes(std::span(launch)));
  if (version >= 3) {
    number(0x188, cpu.family, 1);
    number(0x189, cpu.model, 1);
  }
  if (version >= 5) number(0x1F8, 0x1F, 8);
  if (edit_report) edit_report(out);
  put(out, 0x2A0, chip.sign(Bytes(out).first(0x2A0)));
  return out;
}

ByteVector SyntheticAmd::vek() const {
  const bool turin = cpu.family == kTurin.family;
  const auto svn = [this](std::size_t at) {
    return der_small_integer(std::to_integer<unsigned>(extensions_tcb[at]));
  };
  std::vector<CertificateExtension> extensions;
  if (vek_is_ca) extensions = authority_constraints();
  extensions.push_back({Oid("1.3.6.1.4.1.3704.1.3.1"), false, svn(turin ? 1 : 0)});
  extensions.push_back({Oid("1.3.6.1.4.1.3704.1.3.2"), false, svn(turin ? 2 : 1)});
  extensions.push_back({Oid("1.3.6.1.4.1.3704.1.3.3"), false, svn(turin ? 3 : 6)});
  extensions.push_back({Oid("1.3.6.1.4.1.3704.1.3.8"), false, svn(7)});
  if (turin && vek_has_fmc) extensions.push_back({Oid("1.3.6.1.4.1.3704.1.3.9"), false, svn(0)});
  const ByteVector id(turin ? 8 : 64, std::byte{7});
  if (vek_has_chip) {
    const ByteVector value = chip_is_wrapped ? der_octets(id) : id;
    extensions.push_back({Oid("1.3.6.1.4.1.3704.1.4"), false, value});
  }
  if (vek_has_provider) {
    extensions.push_back({Oid("1.3.6.1.4.1.3704.1.5"), false, der_octets(ByteVector(3))});
  }
  CertificateContent content;
  content.issuer = "ASK";
  content.subject = is_vlek ? "SEV-VLEK" : "SEV-VCEK";
  content.serial = {static_cast<std::byte>(kVekSerial)};
  content.not_before = now - std::chrono::days(30);
  content.not_after = now + std::chrono::days(20);
  content.spki = chip.spki();
  content.extensions = std::move(extensions);
  return build_certificate(content, authority).value();
}

Verdict SyntheticAmd::judge(const Policy& policy) const {
  const ByteVector ask = certificate_for_test("ARK", root, "ASK", authority, kAuthoritySerial, now,
                                              authority_constraints());
  Endorsements endorsements;
  endorsements.vek_chain = copy_of(bytes_of(pem_for_test(ask) + pem_for_test(ark())));
  endorsements.vek = vek();
  if (edit_endorsements) edit_endorsements(endorsements);
  TrustAnchors own;
  const Sha256Digest key = sha256(root.spki());
  if (trusted == AmdProduct::milan) own.amd_milan.push_back(key);
  if (trusted == AmdProduct::genoa) own.amd_genoa.push_back(key);
  if (trusted == AmdProduct::turin) own.amd_turin.push_back(key);
  return judge_snp(report(), {endorsements, policy, own, now});
}

TEST(SyntheticAmd, IsNeverBelievedByTheProductionVerifier) {
  SyntheticAmd amd;
  ASSERT_EQ(amd.rule(), "none") << amd.seen();
  const Endorsements endorsements{.vek = amd.vek()};
  EXPECT_FALSE(judge_recorded_evidence({{{"report", amd.report()}}, "", {}}, endorsements,
                                       Policy(), amd.now)
                   .authentic);
}

TEST(SyntheticAmd, HoldsInEveryVersionOfEveryProduct) {
  for (const unsigned version : {2U, 3U, 4U, 5U}) {
    for (const Cpu cpu : {kMilan, kGenoa, kSiena, kTurin}) {
      SyntheticAmd amd;
      if (cpu.family == kTurin.family) amd.make_turin();
      if (cpu.model == kMilan.model) amd.trusted = AmdProduct::milan;
      amd.cpu = cpu;
      amd.version = version;
      EXPECT_EQ(amd.rule(), "none") << version << " model " << cpu.model;
      EXPECT_TRUE(amd.judge().authentic);
      const bool other = cpu.family == kTurin.family;
      amd.trusted = other ? AmdProduct::milan : AmdProduct::turin;
      EXPECT_NE(amd.rule(), "none") << version << " model " << cpu.model;
    }
  }
}

TEST(SyntheticAmd, IsRefusedForAnotherVersionAlgorithmKeyOrProduct) {
  SyntheticAmd amd;
  for (const unsigned version : {0U, 1U, 6U, 0x10003U}) {
    amd.version = version;
    EXPECT_EQ(amd.rule(), "report-version") << version;
  }
  amd.version = 3;
  amd.edit_report = [](ByteVector& report) { report[0x34] = std::byte{2}; };
  EXPECT_EQ(amd.rule(), "report-signature-algorithm");
  amd.edit_report = {};
  for (const unsigned signer : {2U, 7U}) {
    amd.signer = signer;
    EXPECT_EQ(amd.rule(), "signing-key");
  }
  amd.signer = 0;
  for (const Cpu unknown : {Cpu{0x17, 1}, Cpu{0x19, 0x21}, Cpu{0x1A, 0x20}, Cpu{0, 0}}) {
    amd.cpu = unknown;
    EXPECT_EQ(amd.rule(), "product");
  }
}

TEST(SyntheticAmd, IsRefusedForAnotherTcbInAnyComponent) {
  for (const bool turin : {false, true}) {
    SyntheticAmd amd;
    if (turin) amd.make_turin();
    for (const std::size_t at : turin ? std::vector<std::size_t>{0, 1, 2, 3, 7}
                                      : std::vector<std::size_t>{0, 1, 6, 7}) {
      amd.extensions_tcb[at] ^= std::byte{1};
      EXPECT_EQ(amd.rule(), "vek-tcb") << at;
      amd.extensions_tcb[at] ^= std::byte{1};
    }
    EXPECT_EQ(amd.rule(), "none");
  }
  SyntheticAmd amd;
  amd.make_turin();
  amd.vek_has_fmc = false;
  EXPECT_EQ(amd.rule(), "vek-tcb");
}

TEST(SyntheticAmd, IsRefusedForAnotherChip) {
  for (const bool turin : {false, true}) {
    for (const bool wrapped : {false, true}) {
      SyntheticAmd amd;
      if (turin) amd.make_turin();
      amd.chip_is_wrapped = wrapped;
      EXPECT_EQ(amd.rule(), "none");
      amd.chip_id[0] ^= std::byte{1};
      EXPECT_EQ(amd.rule(), "chip-id");
      amd.chip_id = ByteVector(64);  // masked
      EXPECT_EQ(amd.rule(), "chip-id");
      amd.vek_has_chip = false;
      EXPECT_EQ(amd.rule(), "chip-id");
    }
  }
  SyntheticAmd amd;
  amd.make_turin();
  amd.chip_id[8] = std::byte{1};
  EXPECT_EQ(amd.rule(), "chip-id");
}

TEST(SyntheticAmd, TakesAVlekOnlyWithAProviderAndNoChip) {
  for (const bool turin : {false, true}) {
    SyntheticAmd amd;
    if (turin) amd.make_turin();
    amd.make_vlek();
    EXPECT_EQ(amd.rule(), "none");
    Policy policy;
    policy.allow_vlek = false;
    EXPECT_EQ(amd.rule(policy), "signing-key");
    amd.vek_has_provider = false;
    EXPECT_EQ(amd.rule(), "chip-id");
    amd.vek_has_provider = true;
    amd.vek_has_chip = true;
    EXPECT_EQ(amd.rule(), "chip-id");
    amd.vek_has_chip = false;
    amd.chip_id[0] = std::byte{7};
    EXPECT_EQ(amd.rule(), "chip-id");
    amd.chip_id = ByteVector(64);
    amd.signer = 0;  // what a VLEK signed and says that a VCEK did
    EXPECT_EQ(amd.rule(), "chip-id");
  }
}

TEST(SyntheticAmd, IsPolicedByItsGuestPolicyAndLevel) {
  SyntheticAmd amd;
  amd.guest_policy |= 1U << 19;
  EXPECT_TRUE(amd.judge().debug);
  amd.guest_policy = 0x30000 | 1U << 18;
  EXPECT_EQ(amd.rule(), "migration-agent");
  Policy policy;
  policy.allow_migration_agent = true;
  EXPECT_EQ(amd.rule(policy), "none");
  amd.vmpl = 2;
  EXPECT_EQ(amd.rule(policy), "vmpl");
  policy.vmpl_max = 2;
  EXPECT_EQ(amd.rule(policy), "none");
}

TEST(SyntheticAmd, IsRefusedBelowTheLeastTcbInAnyOfItsVersions) {
  Policy policy;
  policy.snp_minimum_tcb["genoa"] = {.boot_loader = 3, .snp = 22, .microcode = 213};
  policy.snp_minimum_tcb["turin"] = {.fmc = 1, .snp = 4};
  SyntheticAmd amd;
  EXPECT_EQ(amd.rule(policy), "none");
  amd.launch[6] = 21;
  EXPECT_EQ(amd.rule(policy), "minimum-tcb");
  amd.launch = amd.reported;
  amd.committed[7] = 212;
  EXPECT_EQ(amd.rule(policy), "minimum-tcb");
  SyntheticAmd turin;
  turin.make_turin();
  EXPECT_EQ(turin.rule(policy), "none");
  turin.launch[0] = 0;
  EXPECT_EQ(turin.rule(policy), "minimum-tcb");
}

TEST(SyntheticAmd, IsRefusedWithoutAWholeChain) {
  SyntheticAmd amd;
  const auto with = [&amd](std::function<void(Endorsements&)> edit) {
    amd.edit_endorsements = std::move(edit);
    return amd.rule();
  };
  EXPECT_EQ(with([](Endorsements& e) { e.vek.clear(); }), "collateral-missing");
  EXPECT_EQ(with([](Endorsements& e) { e.vek.pop_back(); }), "chain");
  EXPECT_EQ(with([](Endorsements& e) { e.vek_chain.pop_back(); }), "none");  // a line's end
  EXPECT_EQ(with([](Endorsements& e) { e.vek_chain = ByteVector(10); }), "chain");
  EXPECT_EQ(with([](Endorsements& e) { e.vek_chain.clear(); }), "chain");
  amd.edit_endorsements = {};
  amd.vek_is_ca = true;
  EXPECT_EQ(amd.rule(), "chain");
  amd.vek_is_ca = false;
  amd.now += std::chrono::days(0);
  SyntheticAmd late;
  const ByteVector vek = late.vek();
  late.now += std::chrono::days(25);
  late.edit_endorsements = [&vek](Endorsements& e) { e.vek = vek; };
  EXPECT_EQ(late.rule(), "chain-validity");
}

TEST(SyntheticAmd, IsHeldAgainstTheRootsList) {
  SyntheticAmd amd;
  const auto with = [&amd](const SigningKey& key, std::vector<unsigned> serials,
                           std::chrono::days shift = {}) {
    amd.edit_endorsements = [&amd, &key, serials, shift](Endorsements& e) {
      e.amd_crl = crl_for_test(amd.ark(), key, amd.now + shift, serials);
    };
    return amd.rule();
  };
  EXPECT_EQ(with(amd.root, {9}), "none");
  EXPECT_EQ(with(amd.root, {kAuthoritySerial}), "revoked");
  EXPECT_EQ(with(amd.root, {kVekSerial}), "revoked");
  EXPECT_EQ(with(amd.authority, {}), "crl-signature");
  EXPECT_EQ(with(amd.root, {}, std::chrono::days(5)), "collateral-expired");
  EXPECT_EQ(with(amd.root, {}, std::chrono::days(-5)), "collateral-expired");
  amd.edit_endorsements = [](Endorsements& e) { e.amd_crl = ByteVector(5); };
  EXPECT_EQ(amd.rule(), "collateral-format");
  amd.edit_endorsements = [&amd](Endorsements& e) {
    const ByteVector other = certificate_for_test("Other", amd.root, "Other", amd.root, 1, amd.now,
                                                  authority_constraints());
    e.amd_crl = crl_for_test(other, amd.root, amd.now, {});
  };
  EXPECT_EQ(amd.rule(), "crl-issuer");
}

TEST(SyntheticAmd, IsBoundByItsListsEnd) {
  SyntheticAmd amd;
  EXPECT_EQ(amd.judge().expires, amd.now + std::chrono::days(20));
  amd.edit_endorsements = [&amd](Endorsements& e) {
    e.amd_crl = crl_for_test(amd.ark(), amd.root, amd.now, {});
  };
  EXPECT_EQ(amd.judge().expires, amd.now + std::chrono::days(1));
}

TEST(SyntheticAmd, NeverHoldsWithAnyFlippedByteOrAnyTruncation) {
  SyntheticAmd amd;
  amd.version = 5;
  const ByteVector genuine = amd.report();
  const ByteVector ask = certificate_for_test("ARK", amd.root, "ASK", amd.authority,
                                              kAuthoritySerial, amd.now, authority_constraints());
  Endorsements endorsements{.vek = amd.vek()};
  endorsements.vek_chain = copy_of(bytes_of(pem_for_test(ask) + pem_for_test(amd.ark())));
  TrustAnchors own;
  own.amd_genoa = {sha256(amd.root.spki())};
  const Policy policy;
  const Case the_case{endorsements, policy, own, amd.now};
  ASSERT_TRUE(judge_snp(genuine, the_case).authentic);
  for (std::size_t i = 0; i < genuine.size(); ++i) {
    ByteVector changed = genuine;
    changed[i] ^= std::byte{1};
    EXPECT_FALSE(judge_snp(changed, the_case).authentic) << "byte " << i;
    EXPECT_FALSE(judge_snp(Bytes(genuine).first(i), the_case).authentic) << "size " << i;
  }
}

}  // namespace
}  // namespace cloister
