#include "vault/tpm/tpm_anchor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/vault_fixture.h"

extern char** environ;

namespace cloister {
namespace {

/// A port that is free, and the one after it too.
std::uint16_t free_ports() {
  while (true) {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ::bind(probe, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size);
    const std::uint16_t port = ntohs(address.sin_port);
    const int second = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons(static_cast<std::uint16_t>(port + 1));
    const bool both = ::bind(second, reinterpret_cast<sockaddr*>(&address), size) == 0;
    ::close(second);
    ::close(probe);
    if (both) return port;
  }
}

/// A simulated TPM with memory of its own, stopped with this object.
class SimulatedTpm {
 public:
  SimulatedTpm() : port_(free_ports()) {
    char name[] = "/tmp/cloister-tpm-XXXXXX";
    folder_ = ::mkdtemp(name);
    std::string arguments[] = {
        "swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + folder_, "--server",
        "type=tcp,bindaddr=127.0.0.1,port=" + std::to_string(port_), "--ctrl",
        "type=tcp,bindaddr=127.0.0.1,port=" + std::to_string(port_ + 1), "--flags",
        "not-need-init,startup-clear"};
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    running_ = ::posix_spawnp(&process_, "swtpm", nullptr, nullptr, pointers.data(), environ) == 0;
  }
  ~SimulatedTpm() {
    if (running_) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }
  SimulatedTpm(const SimulatedTpm&) = delete;
  SimulatedTpm& operator=(const SimulatedTpm&) = delete;

  bool running() const noexcept { return running_; }
  TpmAnchorSettings settings() const {
    return {"swtpm:host=127.0.0.1,port=" + std::to_string(port_)};
  }
  /// Connects as soon as it listens.
  std::unique_ptr<Anchor> anchor() const {
    for (int i = 0; i < 2000; ++i) {
      auto made = make_tpm_anchor(settings());
      if (made.ok()) return std::move(made).value();
      ::usleep(5000);  // until the simulator listens: another process, nothing to wait on
    }
    return nullptr;
  }

 private:
  std::uint16_t port_;
  std::string folder_;
  pid_t process_ = -1;
  bool running_ = false;
};

class TpmAnchorTest : public VaultFixture {
 protected:
  void SetUp() override {
    if (!tpm_.running()) GTEST_SKIP() << "swtpm is not installed: the TPM anchor was NOT tested";
    connect();
  }
  /// As a restart of the server does.
  void connect() {
    anchor_.reset();
    anchor_ = tpm_.anchor();
    ASSERT_NE(anchor_, nullptr);
  }
  Anchor& anchor() override { return *anchor_; }
  void restore(const std::map<std::string, ByteVector>& snapshot) {
    for (const auto& [path, content] : files_.contents()) {
      if (!snapshot.contains(path)) {
        ASSERT_TRUE(files_.remove(path).ok());
      }
    }
    for (const auto& [path, content] : snapshot) files_.plant(path, content);
  }
  static SecretBytes key(int value) {
    return SecretBytes(ByteVector(32, static_cast<std::byte>(value)));
  }
  static AnchorSecret secret(std::uint64_t generation) { return {generation, key(9)}; }

  SimulatedTpm tpm_;
  std::unique_ptr<Anchor> anchor_;
};

TEST_F(TpmAnchorTest, RefusesAMissingAnotherStoresAndASecondOne) {
  EXPECT_EQ(anchor_->bind(key(1), false, {}).error().code, Code::corrupt);
  ASSERT_TRUE(anchor_->bind(key(1), true, secret(1)).ok());
  connect();
  EXPECT_EQ(anchor_->bind(key(2), false, {}).error().code, Code::corrupt);
  connect();
  EXPECT_EQ(anchor_->bind(key(1), true, secret(1)).error().code, Code::corrupt);
  connect();
  EXPECT_TRUE(anchor_->bind(key(1), false, {}).ok());
}

TEST_F(TpmAnchorTest, RefusesEpochsBelowTheCounterAfterARestart) {
  ASSERT_TRUE(anchor_->bind(key(1), true, secret(1)).ok());
  ASSERT_TRUE(anchor_->advance(5).ok());
  connect();
  ASSERT_TRUE(anchor_->bind(key(1), false, {}).ok());
  EXPECT_EQ(anchor_->check(4).error().code, Code::corrupt);
  EXPECT_TRUE(anchor_->check(5).ok());
  EXPECT_TRUE(anchor_->check(6).ok());
  EXPECT_TRUE(anchor_->advance(3).ok());  // never goes back
  EXPECT_EQ(anchor_->check(4).error().code, Code::corrupt);
}

TEST_F(TpmAnchorTest, RefusesAnOlderSnapshotOfTheWholeStore) {
  const SampleModel sample(1, 100, 1000);
  {
    const auto vault = open(true).value();
    ASSERT_TRUE(upload(*vault, sample, ref(1)).ok());
  }
  const auto snapshot = files_.contents();
  connect();
  {
    const auto vault = open().value();
    ASSERT_TRUE(upload(*vault, sample, ref(2)).ok());
    EXPECT_EQ(vault->anchor(), AnchorKind::tpm);
  }
  restore(snapshot);
  connect();
  const auto reopened = open();
  ASSERT_FALSE(reopened.ok());
  EXPECT_EQ(reopened.error().code, Code::corrupt);
  EXPECT_NE(DetailForTest::read(reopened.error()).find("older"), std::string::npos);
}

TEST_F(TpmAnchorTest, MakesASnapshotFromBeforeAnErasureUseless) {
  const SampleModel sample(1, 100, 1000);
  {
    const auto vault = open(true).value();
    ASSERT_TRUE(upload(*vault, sample, ref(1)).ok());
  }
  const auto snapshot = files_.contents();
  connect();
  {
    const auto vault = open().value();
    EXPECT_EQ(vault->erase(ref(1)).value(), Erasure::bounded_by_anchor);
  }
  const auto after = files_.contents();
  restore(snapshot);
  connect();
  EXPECT_EQ(open().error().code, Code::corrupt);
  // Even a counter turned back would not help: the catalogue's key is gone.
  restore(after);
  connect();
  const auto vault = open().value();
  EXPECT_TRUE(vault->is_erased(ref(1)));
}

TEST_F(TpmAnchorTest, RefusesAnEmptiedFolderAndAnotherAnchorKind) {
  ASSERT_TRUE(open(true).ok());
  connect();
  const auto whole = files_.contents();
  restore({});
  EXPECT_EQ(open(true).error().code, Code::corrupt);
  restore(whole);
  const auto unanchored = open_vault({files_, entropy_, clock_, no_anchor_}, root_secret(),
                                     settings_, false);
  EXPECT_EQ(unanchored.error().code, Code::invalid);
}

}  // namespace
}  // namespace cloister
