#include "access/certificates.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "access/certificate_names.h"
#include "crypto/certificate_builder.h"
#include "support/fake_clock.h"
#include "support/memory_record.h"

namespace cloister {
namespace {

const PrincipalId kClinic{"clinic"};
const PrincipalId kBank{"bank"};
const AuthorityName kOurs{kClinic, "ours"};

/// A key and what is signed with it.
struct Issuer {
  std::string name;
  SigningKey key = SigningKey::generate_p256().value();
};

class CertificatesTest : public testing::Test {
 protected:
  ByteVector issue(const Issuer& by, const Issuer& whom,
                   std::vector<CertificateExtension> extensions,
                   std::chrono::hours life = std::chrono::hours{24}) {
    CertificateContent content;
    content.issuer = by.name;
    content.subject = whom.name;
    content.serial = ByteVector(8, std::byte{7});
    content.not_before = clock_.utc() - std::chrono::hours{1};
    content.not_after = clock_.utc() + life;
    content.spki = whom.key.spki();
    content.extensions = std::move(extensions);
    return build_certificate(content, by.key).value();
  }
  ByteVector authority(const Issuer& by, const Issuer& whom) {
    return issue(by, whom, authority_constraints(), std::chrono::hours{48});
  }
  ByteVector leaf(const Issuer& by) { return issue(by, client_, {end_entity_constraint()}); }
  void add_root_and_bind() {
    ASSERT_TRUE(certificates_->add_authority(kOurs, authority(root_, root_)).ok());
    ASSERT_TRUE(certificates_->bind(kBank, {{}, kOurs, client_.name}).ok());
  }
  bool proves(const std::vector<ByteVector>& chain) {
    return certificates_->holders(chain) == std::vector{kBank};
  }

  FakeClock clock_;
  MemoryRecord store_;
  std::unique_ptr<Certificates> certificates_ = Certificates::open(store_, clock_).value();
  const Issuer root_{"root"}, middle_{"middle"}, low_{"low"}, lowest_{"lowest"}, client_{"client"};
};

TEST_F(CertificatesTest, RefusesWhatIsNoAuthority) {
  const auto code = [&](Bytes der) {
    return certificates_->add_authority(kOurs, der).error().code;
  };
  EXPECT_EQ(code({}), Code::invalid);
  EXPECT_EQ(code(leaf(client_)), Code::invalid);
  EXPECT_EQ(code(ByteVector(kAuthorityBytesMax + 1)), Code::too_large);
  auto constrained = authority_constraints();
  constrained.push_back({Oid("2.5.29.30"), false, der_sequence({})});
  EXPECT_EQ(code(issue(root_, root_, constrained)), Code::invalid);
  EXPECT_EQ(certificates_->add_authority({kClinic, "a.b"}, authority(root_, root_)).error().code,
            Code::invalid);
}

TEST_F(CertificatesTest, RefusesEveryChangedByteOfAChain) {
  add_root_and_bind();
  const ByteVector whole = leaf(root_);
  ASSERT_TRUE(proves({whole}));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    ByteVector changed = whole;
    changed[i] ^= std::byte{1};
    EXPECT_FALSE(proves({changed})) << i;
  }
}

TEST_F(CertificatesTest, RefusesPathsThatDoNotHold) {
  add_root_and_bind();
  EXPECT_FALSE(proves({}));
  EXPECT_FALSE(proves({leaf(client_)}));
  EXPECT_FALSE(proves({leaf({"root"})}));  // the same name, another key
  EXPECT_FALSE(proves({leaf(middle_)}));
  EXPECT_FALSE(proves({leaf(middle_), issue(root_, middle_, {end_entity_constraint()})}));
  EXPECT_FALSE(proves({leaf(middle_), authority(root_, low_)}));
  EXPECT_FALSE(proves({leaf(middle_), authority(low_, middle_)}));
  // One certificate more than is looked at.
  EXPECT_FALSE(proves({leaf(lowest_), authority(low_, lowest_), authority(middle_, low_),
                       authority(client_, middle_), authority(root_, client_)}));
}

TEST_F(CertificatesTest, RefusesAServersCertificateAndUnknownCriticalExtensions) {
  add_root_and_bind();
  const CertificateExtension server{Oid("2.5.29.37"), false,
                                    der_sequence({der_oid(Oid("1.3.6.1.5.5.7.3.1"))})};
  EXPECT_FALSE(proves({issue(root_, client_, {end_entity_constraint(), server})}));
  const CertificateExtension client{Oid("2.5.29.37"), true,
                                    der_sequence({der_oid(Oid("1.3.6.1.5.5.7.3.2"))})};
  EXPECT_TRUE(proves({issue(root_, client_, {end_entity_constraint(), client})}));
  const CertificateExtension unknown{Oid("1.2.3.4"), true, der_sequence({})};
  EXPECT_FALSE(proves({issue(root_, client_, {end_entity_constraint(), unknown})}));
}

TEST_F(CertificatesTest, HonoursTheTimeOfEveryCertificateAtEveryUse) {
  add_root_and_bind();
  const auto whole = std::vector{leaf(middle_), issue(root_, middle_, authority_constraints(),
                                                      std::chrono::hours{2})};
  EXPECT_TRUE(proves(whole));
  clock_.advance(std::chrono::hours{3});
  EXPECT_FALSE(proves(whole));
  EXPECT_TRUE(proves({leaf(root_)}));
  ASSERT_TRUE(certificates_->bind(kBank, {sha256(client_.key.spki()), {}, {}}).ok());
  const ByteVector brief = issue(client_, client_, {end_entity_constraint()});
  EXPECT_TRUE(proves({brief}));
  clock_.advance(std::chrono::hours{25});
  EXPECT_FALSE(proves({brief}));
}

TEST_F(CertificatesTest, ForgetsWhatItProvedWhenTheAuthorityGoes) {
  add_root_and_bind();
  const std::vector<ByteVector> chain{leaf(root_)};
  EXPECT_TRUE(proves(chain));
  EXPECT_EQ(certificates_->remove_authority({kBank, "ours"}).error().code, Code::not_found);
  ASSERT_TRUE(certificates_->remove_authority(kOurs).ok());
  EXPECT_FALSE(proves(chain));
  ASSERT_TRUE(certificates_->add_authority(kOurs, authority(root_, root_)).ok());
  EXPECT_TRUE(proves(chain));
  ASSERT_TRUE(certificates_->unbind(kBank).ok());
  EXPECT_FALSE(proves(chain));
}

TEST_F(CertificatesTest, ProvesByPathsUpToItsLengthAndKeepsAllThroughARestart) {
  add_root_and_bind();
  const std::vector<ByteVector> chain{leaf(low_), authority(middle_, low_),
                                      authority(root_, middle_), authority(root_, root_)};
  EXPECT_TRUE(proves(chain));
  certificates_ = Certificates::open(store_, clock_).value();
  EXPECT_TRUE(proves(chain));
  EXPECT_EQ(certificates_->authorities_of(kClinic).size(), 1U);
  EXPECT_TRUE(certificates_->authorities_of(kBank).empty());
  const ByteVector whole = store_.content;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    store_.content.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(Certificates::open(store_, clock_).error().code, Code::corrupt) << size;
  }
}

TEST_F(CertificatesTest, TakesAlternativeNamesAndNotTheCommonNameBesideThem) {
  const CertificateExtension names = subject_names({"pay.bank.example"}).value();
  const ByteVector der = issue(root_, client_, {end_entity_constraint(), names});
  const auto read = names_in(Certificate::parse(der).value());
  EXPECT_EQ(read.value(), std::vector<std::string>{"pay.bank.example"});
  add_root_and_bind();
  EXPECT_FALSE(proves({der}));
  ASSERT_TRUE(certificates_->bind(kBank, {{}, kOurs, "pay.bank.example"}).ok());
  EXPECT_TRUE(proves({der}));
}

TEST_F(CertificatesTest, NamesEveryPrincipalOfAKeyThatProvesSeveral) {
  const Sha256Digest key = sha256(client_.key.spki());
  ASSERT_TRUE(certificates_->bind(kBank, {key, {}, {}}).ok());
  ASSERT_TRUE(certificates_->bind({"lab"}, {key, {}, {}}).ok());
  EXPECT_EQ(certificates_->holders({leaf(client_)}).size(), 2U);
  ASSERT_TRUE(certificates_->forget({"lab"}).ok());
  EXPECT_TRUE(proves({leaf(client_)}));
}

}  // namespace
}  // namespace cloister
