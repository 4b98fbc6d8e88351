#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "support/vault_fixture.h"
#include "vault/format.h"
#include "vault/store_keys.h"

namespace cloister {
namespace {

/// What the caller was told, and what it was left in doubt about.
struct Promises {
  std::map<std::uint64_t, bool> versions;  ///< number: whether it must (true) or may exist
  std::set<std::uint64_t> erased;
  std::set<std::string> records;           ///< contents of which one must be there
};

/// A TPM's memory. Each use of it is two calls on the files as well, so that whatever goes wrong
/// at every call in turn goes wrong on either side of each use too.
class AnchorInMemory final : public Anchor {
 public:
  explicit AnchorInMemory(FaultyFiles& files) noexcept : files_(files) {}
  AnchorKind kind() const noexcept override { return AnchorKind::tpm; }
  Status bind(const SecretBytes& key, bool create, const AnchorSecret& secret) override {
    return use([&]() -> Status {
      const ByteVector owner = copy_of(StoreKeys::read(key));
      if (create != owner_.empty() || (!create && owner != owner_)) {
        return Error{Code::corrupt, "test.anchor.owner"};
      }
      owner_ = owner;
      if (create) keep(secret);
      return Done{};
    });
  }
  Result<AnchorSecret> secret() override {
    CLOISTER_TRY(use([]() -> Status { return Done{}; }));
    return AnchorSecret{generation_, SecretBytes(copy_of(secret_))};
  }
  Status replace_secret(const AnchorSecret& next) override {
    return use([&]() -> Status {
      keep(next);
      return Done{};
    });
  }
  Status check(std::uint64_t epoch) override {
    return use([&]() -> Status {
      if (epoch < epoch_) return Error{Code::corrupt, "test.anchor.rolled_back"};
      return Done{};
    });
  }
  Status advance(std::uint64_t epoch) override {
    return use([&]() -> Status {
      epoch_ = std::max(epoch_, epoch);
      return Done{};
    });
  }
  /// What an operator does with a TPM whose store never came to be.
  void clear() {
    owner_.clear();
    epoch_ = 0;
  }

 private:
  template <class Act>
  Status use(Act act) {
    if (!files_.list("").ok()) return Error{Code::io, "test.anchor.before"};
    CLOISTER_TRY(act());
    if (!files_.list("").ok()) return Error{Code::io, "test.anchor.after"};
    return Done{};
  }
  void keep(const AnchorSecret& secret) {
    generation_ = secret.generation;
    secret_ = copy_of(StoreKeys::read(secret.bytes));
  }

  FaultyFiles& files_;
  ByteVector owner_;
  std::uint64_t epoch_ = 0;
  std::uint64_t generation_ = 0;
  ByteVector secret_;
};

class VaultFaultTest : public VaultFixture {
 protected:
  VaultFaultTest() { settings_.threads = 1; }
  Anchor& anchor() override {
    if (anchored_) return memory_;
    return no_anchor_;
  }

  static SampleModel sample(std::uint64_t number) { return SampleModel(number, 300, 700 * number); }

  void do_upload(std::uint64_t number) {
    if (vault_ == nullptr) return;
    const Status done = upload(*vault_, sample(number), ref(number));
    promises_.versions[number] = done.ok();
  }
  void do_erase(std::uint64_t number) {
    if (vault_ == nullptr) return;
    const auto done = vault_->erase(ref(number));
    if (done.ok()) {
      promises_.versions.erase(number);
      promises_.erased.insert(number);
    } else if (promises_.versions.contains(number)) {
      promises_.versions[number] = false;
    }
  }
  void do_record(const std::string& content) {
    if (vault_ == nullptr) return;
    if (vault_->put_record("principals", bytes_of(content)).ok()) promises_.records.clear();
    promises_.records.insert(content);
  }
  /// Every kind of change, a restart in the middle, and enough of them for a whole catalogue.
  void run() {
    promises_.records = {""};
    vault_ = take(open(true));
    made_ = vault_ != nullptr;
    do_upload(1);
    do_record("first");
    do_upload(2);
    do_erase(1);
    vault_.reset();
    vault_ = take(open());
    do_upload(3);
    do_record("second");
    do_erase(2);
    do_upload(4);
  }
  static std::unique_ptr<Vault> take(Result<std::unique_ptr<Vault>> opened) {
    return opened.ok() ? std::move(opened).value() : nullptr;
  }

  /// The store opens without a fault and keeps every promise, and nothing else is on the disk.
  void expect_kept(const std::string& trace) {
    SCOPED_TRACE(trace);
    vault_.reset();
    auto reopened = open(true);
    if (!reopened.ok() && anchored_ && !made_) {
      // The anchor was made and then not its store, which nobody was told of: an operator's case.
      EXPECT_EQ(reopened.error().code, Code::corrupt);
      memory_.clear();
      reopened = open(true);
    }
    ASSERT_TRUE(reopened.ok()) << reopened.error().where.text;
    const auto vault = std::move(reopened).value();
    for (const auto& [number, must] : promises_.versions) {
      if (must || vault->find(ref(number))) expect_holds(*vault, sample(number), ref(number));
    }
    for (const std::uint64_t number : promises_.erased) {
      EXPECT_FALSE(vault->find(ref(number)));
      EXPECT_TRUE(vault->is_erased(ref(number)));
    }
    EXPECT_TRUE(promises_.records.contains(principals_of(*vault)));
    std::size_t files = 0;
    for (const auto& [path, content] : files_.contents()) {
      EXPECT_FALSE(path.starts_with("staging/")) << path;
      EXPECT_FALSE(path.ends_with(".new")) << path;
      files += path.starts_with("versions/") ? 1 : 0;
    }
    EXPECT_EQ(files, vault->versions().size());
    ASSERT_TRUE(upload(*vault, sample(9), ref(9)).ok());
    expect_holds(*vault, sample(9), ref(9));
  }

  bool anchored_ = false;
  bool made_ = false;  ///< whether the first start was told of its store
  AnchorInMemory memory_{files_};
  Promises promises_;
  std::unique_ptr<Vault> vault_;
};

/// Runs the whole story once for every call, with `fault` there.
template <class After>
void at_every_call(Fault fault, After after, bool anchored = false) {
  std::uint64_t calls = 0;
  {
    class Counting : public VaultFaultTest {
     public:
      void TestBody() override {}
      std::uint64_t count(bool with_anchor) {
        anchored_ = with_anchor;
        run();
        return files_.calls();
      }
    } counting;
    calls = counting.count(anchored);
  }
  ASSERT_GT(calls, 100U);
  for (std::uint64_t call = 0; call < calls; ++call) {
    class Story : public VaultFaultTest {
     public:
      void TestBody() override {}
      void tell(std::uint64_t at, Fault how, After& then, bool with_anchor) {
        anchored_ = with_anchor;
        files_.arm(at, how);
        run();
        then(files_);
        expect_kept("call " + std::to_string(at));
      }
    } story;
    story.tell(call, fault, after, anchored);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(VaultFault, KeepsEveryPromiseWhenAnyOneCallFails) {
  at_every_call(Fault::fails, [](FaultyFiles&) {});
}

TEST(VaultFault, KeepsEveryPromiseWhenAnyOneCallIsCutShort) {
  at_every_call(Fault::is_cut_short, [](FaultyFiles&) {});
}

TEST(VaultFault, KeepsEveryPromiseWhenPowerGoesAfterAnyCall) {
  for (const Survival survival :
       {Survival::everything, Survival::nothing, Survival::entries_only, Survival::data_only,
        Survival::half_of_each_file}) {
    SCOPED_TRACE(static_cast<int>(survival));
    at_every_call(Fault::is_last_before_power_loss,
                  [survival](FaultyFiles& files) { files.lose_power(survival); });
  }
}

TEST(VaultFault, KeepsEveryPromiseWhenACallFailsAndThenThePowerGoes) {
  for (const Survival survival : {Survival::nothing, Survival::entries_only,
                                  Survival::data_only}) {
    SCOPED_TRACE(static_cast<int>(survival));
    at_every_call(Fault::fails, [survival](FaultyFiles& files) { files.lose_power(survival); });
  }
}

TEST(VaultFault, KeepsEveryPromiseWhenTheAnchorOrItsAnswerFails) {
  at_every_call(Fault::fails, [](FaultyFiles&) {}, true);
}

TEST(VaultFault, KeepsEveryPromiseWhenPowerGoesOnEitherSideOfTheAnchor) {
  for (const Survival survival : {Survival::everything, Survival::nothing, Survival::entries_only,
                                  Survival::data_only}) {
    SCOPED_TRACE(static_cast<int>(survival));
    at_every_call(
        Fault::is_last_before_power_loss,
        [survival](FaultyFiles& files) { files.lose_power(survival); }, true);
  }
}

}  // namespace
}  // namespace cloister
