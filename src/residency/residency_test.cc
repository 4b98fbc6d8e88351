#include "residency/residency.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/mutex.h"
#include "base/posix/posix_clock.h"

namespace cloister {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

VersionRef ref_of(const std::string& name) { return {{{"owner"}, name}, {1}}; }

/// A vault that knows names and sizes; opening runs a hook first.
class FakeVault final : public Vault {
 public:
  void add(const std::string& name, std::uint64_t bytes) { sizes_[ref_of(name)] = bytes; }
  std::function<Status(const VersionRef&)> on_open = [](const VersionRef&) { return Done{}; };
  std::function<std::unique_ptr<WeightsFilling>(const OpenedModel&)> on_fill;
  mutable std::atomic<int> opened{0};

  std::optional<VersionRecord> find(const VersionRef& ref) const override {
    const auto found = sizes_.find(ref);
    if (found == sizes_.end()) return std::nullopt;
    VersionRecord record{ref};
    record.cost.weights_bytes = found->second / 2;  // packed they take as much again
    return record;
  }
  Result<OpenedModel> open_version(const VersionRef& ref, const Opening& opening) const override {
    ++opened;
    CLOISTER_TRY(on_open(ref));
    OpenedModel model;
    CLOISTER_ASSIGN(model.weights, PrivateMemory::reserve(sizes_.at(ref)));
    model.bundle.signature.inputs = {{ref.model.name, DType::f32, true, {}}};
    model.optimised = !opening.fits.empty();
    if (opening.early && on_fill) model.filling = on_fill(model);
    return model;
  }
  Result<std::unique_ptr<StagedVersion>> stage(VersionRecord, const ValidatedModel&) override {
    return Error{Code::internal, "fake"};
  }
  Result<std::unique_ptr<StagedVersion>> restage(const VersionRef&) override {
    return Error{Code::internal, "fake"};
  }
  Status commit(std::unique_ptr<StagedVersion>) override { return Done{}; }
  std::vector<VersionRecord> versions() const override { return {}; }
  std::optional<VersionRecord> newest(const ModelId&) const override { return std::nullopt; }
  bool is_erased(const VersionRef&) const override { return false; }
  Result<Erasure> erase(const VersionRef&) override { return Error{Code::internal, "fake"}; }
  Status with_record(const std::string&, const RecordUse& use) const override { return use({}); }
  Status put_record(const std::string&, Bytes) override { return Done{}; }
  Result<std::unique_ptr<SealedLog>> open_log(const std::string&) override {
    return Error{Code::internal, "fake"};
  }
  Status anchor_log(const std::string&, const LogPosition&) override { return Done{}; }
  std::uint64_t epoch() const noexcept override { return 0; }
  AnchorKind anchor() const noexcept override { return {}; }

 private:
  std::map<VersionRef, std::uint64_t> sizes_;
};

/// Counts what is loaded at every moment, and tells which model a run came to.
class FakeEngine final : public Engine {
 public:
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> most{0};
  std::atomic<bool> refuse{false};
  std::atomic<std::uint64_t> growth{0};  ///< what every model takes beside its weights
  std::atomic<std::uint64_t> shared{0};
  std::atomic<int> ended{0};
  std::uint64_t shared_bytes() const override { return shared; }
  std::atomic<int> packed{0};
  bool waits = false;
  bool waits_for_weights() const noexcept override { return waits; }
  std::string optimises_for() const override { return waits ? "this" : ""; }

  Result<std::unique_ptr<LoadedModel>> load(const EngineModel& model) override {
    if (refuse) return Error{Code::internal, "fake.load"};
    return std::unique_ptr<LoadedModel>(std::make_unique<Model>(*this, model));
  }

 private:
  class Model final : public LoadedModel {
   public:
    Model(FakeEngine& engine, const EngineModel& model)
        : engine_(engine), size_(model.weights.size()), signature_(model.bundle->signature) {
      const std::uint64_t now = engine_.bytes += size_;
      std::uint64_t most = engine_.most;
      while (most < now && !engine_.most.compare_exchange_weak(most, now)) {
      }
    }
    ~Model() override { engine_.bytes -= size_; }
    std::uint64_t overhead_bytes() const noexcept override { return engine_.growth; }
    void end() override { ++engine_.ended; }
    Status pack() override {
      ++engine_.packed;
      engine_.packed.notify_all();
      return Done{};
    }
    Result<std::unique_ptr<RunOutputs>> run(const std::vector<NamedTensorView>& inputs,
                                            const std::vector<std::string>&,
                                            RunControl&) override {
      const bool right = inputs.at(0).name == signature_.inputs.at(0).name;
      return Error{right ? Code::conflict : Code::internal, "fake.run"};
    }

   private:
    FakeEngine& engine_;
    std::uint64_t size_;
    const Signature& signature_;
  };
};

class ResidencyTest : public ::testing::Test {
 protected:
  Residency& make(ResidencySettings settings) {
    residency_.emplace(engine_, vault_, clock_, settings);
    return *residency_;
  }
  SteadyTime soon() const { return clock_.steady() + std::chrono::seconds(60); }
  static bool serves(const Lease& lease, const std::string& name) {
    RunControl control;
    return lease.model().run({{name, {}}}, {}, control).error().code == Code::conflict;
  }
  static std::set<std::string> names(const Residency& residency) {
    std::set<std::string> found;
    for (const ResidentModel& model : residency.resident()) found.insert(model.ref.model.name);
    return found;
  }

  PosixClock clock_;
  FakeVault vault_;
  FakeEngine engine_;
  std::optional<Residency> residency_;
};

TEST_F(ResidencyTest, RefusesUnknownVersions) {
  Residency& residency = make({});
  EXPECT_EQ(residency.acquire(ref_of("none"), soon()).error().code, Code::not_found);
  EXPECT_EQ(residency.unload(ref_of("none")).error().code, Code::not_found);
}

TEST_F(ResidencyTest, RefusesAModelThatCanNeverFit) {
  vault_.add("vast", 64 * kMiB);
  Residency& residency = make({.budget_bytes = 64 * kMiB});
  EXPECT_EQ(residency.acquire(ref_of("vast"), soon()).error().code, Code::unavailable);
  EXPECT_EQ(vault_.opened, 0);
}

TEST_F(ResidencyTest, RepeatsAFailureWithoutTryingAgainUntilThePauseIsOver) {
  vault_.add("bad", kMiB);
  vault_.on_open = [](const VersionRef&) { return Error{Code::corrupt, "fake.open"}; };
  Residency& residency = make({.retry_first = std::chrono::hours(1),
                               .retry_longest = std::chrono::hours(2)});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(residency.acquire(ref_of("bad"), soon()).error().code, Code::corrupt);
  }
  EXPECT_EQ(vault_.opened, 1);
  EXPECT_EQ(residency.resident_bytes(), 0U);
  EXPECT_EQ(residency.unload(ref_of("bad")).error().code, Code::not_found);
  EXPECT_EQ(residency.acquire(ref_of("bad"), soon()).error().code, Code::corrupt);
  EXPECT_EQ(vault_.opened, 2) << "unload forgets failures";
}

TEST_F(ResidencyTest, TriesAgainAfterThePause) {
  vault_.add("later", kMiB);
  Residency& residency = make({.retry_first = std::chrono::milliseconds(0)});
  engine_.refuse = true;
  EXPECT_EQ(residency.acquire(ref_of("later"), soon()).error().code, Code::internal);
  engine_.refuse = false;
  EXPECT_TRUE(residency.acquire(ref_of("later"), soon()).ok());
}

TEST_F(ResidencyTest, StopsWaitingAtTheDeadlineWithoutEndingTheLoad) {
  vault_.add("slow", kMiB);
  std::atomic<bool> go{false};
  vault_.on_open = [&](const VersionRef&) -> Status {
    while (!go) std::this_thread::yield();
    return Done{};
  };
  Residency& residency = make({});
  const SteadyTime deadline = clock_.steady() + std::chrono::milliseconds(20);
  EXPECT_EQ(residency.acquire(ref_of("slow"), deadline).error().code, Code::deadline);
  go = true;
  EXPECT_TRUE(serves(residency.acquire(ref_of("slow"), soon()).value(), "slow"));
  EXPECT_EQ(vault_.opened, 1);
}

TEST_F(ResidencyTest, RefusesWaitersPastTheirBound) {
  vault_.add("slow", kMiB);
  vault_.add("other", kMiB);
  std::atomic<bool> go{false};
  vault_.on_open = [&](const VersionRef&) -> Status {
    while (!go) std::this_thread::yield();
    return Done{};
  };
  Residency& residency = make({.waiters_max = 1});
  std::jthread first([&] { EXPECT_TRUE(residency.acquire(ref_of("slow"), soon()).ok()); });
  while (vault_.opened == 0) std::this_thread::yield();
  EXPECT_EQ(residency.acquire(ref_of("other"), soon()).error().code, Code::busy);
  go = true;
}

TEST_F(ResidencyTest, IsBusyWhileEveryByteIsInUse) {
  vault_.add("a", 40 * kMiB);
  vault_.add("b", 40 * kMiB);
  Residency& residency = make({.budget_bytes = 64 * kMiB, .loads_at_once = 1});
  auto a = std::make_unique<Lease>(residency.acquire(ref_of("a"), soon()).value());
  const SteadyTime deadline = clock_.steady() + std::chrono::milliseconds(20);
  EXPECT_EQ(residency.acquire(ref_of("b"), deadline).error().code, Code::busy);
  std::jthread waiter([&] {
    EXPECT_TRUE(serves(residency.acquire(ref_of("b"), soon()).value(), "b"));
  });
  EXPECT_TRUE(serves(*a, "a"));
  a.reset();
  waiter.join();
  EXPECT_EQ(names(residency), std::set<std::string>{"b"});
}

TEST_F(ResidencyTest, LoadsOnceUnderAThunderingHerd) {
  vault_.add("herd", kMiB);
  Residency& residency = make({});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] {
      EXPECT_TRUE(serves(residency.acquire(ref_of("herd"), soon()).value(), "herd"));
    });
  }
  threads.clear();
  EXPECT_EQ(vault_.opened, 1);
}

TEST_F(ResidencyTest, EvictsTheLeastRecentlyUsedIdleModelAndNeverAPinnedOne) {
  for (const char* name : {"pinned", "old", "new", "next"}) vault_.add(name, 10 * kMiB);
  Residency& residency = make({.budget_bytes = 50 * kMiB, .loads_at_once = 1});
  residency.keep(ref_of("pinned"), Keep::pinned);
  ASSERT_TRUE(residency.acquire(ref_of("pinned"), soon()).ok());
  ASSERT_TRUE(residency.acquire(ref_of("old"), soon()).ok());
  ASSERT_TRUE(residency.acquire(ref_of("new"), soon()).ok());
  ASSERT_TRUE(residency.acquire(ref_of("next"), soon()).ok());
  EXPECT_EQ(names(residency), (std::set<std::string>{"pinned", "new", "next"}));
  EXPECT_LE(engine_.most, 50 * kMiB);
}

TEST_F(ResidencyTest, LetsGoAtOnceOfWhatIsNeverKept) {
  vault_.add("brief", kMiB);
  Residency& residency = make({});
  residency.keep(ref_of("brief"), Keep::never);
  for (int i = 1; i <= 2; ++i) {
    EXPECT_TRUE(serves(residency.acquire(ref_of("brief"), soon()).value(), "brief"));
    while (residency.resident_bytes() != 0) std::this_thread::yield();
    EXPECT_EQ(vault_.opened, i);
  }
}

TEST_F(ResidencyTest, KeepsWhatIsPinnedUntilItIsUnloaded) {
  vault_.add("pinned", kMiB);
  Residency& residency = make({});
  residency.keep(ref_of("pinned"), Keep::pinned);
  ASSERT_TRUE(residency.acquire(ref_of("pinned"), soon(), {.keep = Keep::never}).ok());
  residency.keep(ref_of("pinned"), Keep::cached);
  ASSERT_EQ(residency.resident().size(), 1U);
  EXPECT_TRUE(residency.resident().front().pinned);
  ASSERT_TRUE(residency.unload(ref_of("pinned")).ok());
  ASSERT_TRUE(residency.acquire(ref_of("pinned"), soon()).ok());
  EXPECT_FALSE(residency.resident().front().pinned);
}

TEST_F(ResidencyTest, GivesUpSettingAsideInTimeHoweverMuchGoesOn) {
  vault_.add("used", 30 * kMiB);
  Residency& residency = make({.budget_bytes = 64 * kMiB});
  const Lease lease = residency.acquire(ref_of("used"), soon()).value();
  std::atomic<bool> done{false};
  std::jthread others([&] {
    while (!done) residency.keep(ref_of("used"), Keep::cached);
  });
  const auto memory = residency.set_aside(40 * kMiB, clock_.steady() +
                                                         std::chrono::milliseconds(20));
  done = true;
  EXPECT_EQ(memory.error().code, Code::busy);
}

TEST_F(ResidencyTest, IsBusyWhereNothingCanBeSetAside) {
  vault_.add("used", 30 * kMiB);
  Residency& residency = make({.budget_bytes = 64 * kMiB});
  const Lease lease = residency.acquire(ref_of("used"), soon()).value();
  EXPECT_EQ(residency.set_aside(40 * kMiB, clock_.steady()).error().code, Code::busy);
}

TEST_F(ResidencyTest, CountsWhatIsSetAsideAndEvictsForIt) {
  vault_.add("idle", 30 * kMiB);
  vault_.add("small", 8 * kMiB);
  Residency& residency = make({.budget_bytes = 64 * kMiB});
  ASSERT_TRUE(residency.acquire(ref_of("idle"), soon()).ok());
  {
    const auto memory = residency.set_aside(40 * kMiB, soon()).value();
    EXPECT_EQ(names(residency), std::set<std::string>{});
    EXPECT_EQ(residency.resident_bytes(), 40 * kMiB);
    EXPECT_EQ(residency.acquire(ref_of("idle"), clock_.steady()).error().code, Code::busy);
  }
  EXPECT_TRUE(residency.acquire(ref_of("idle"), soon()).ok());
  const auto all = residency.set_aside(1'000 * kMiB, soon()).value();
  EXPECT_EQ(residency.resident_bytes(), 64 * kMiB) << "more than all there is takes all";
}

/// A model that takes what the test says.
class GrowingModel final : public LoadedModel {
 public:
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<int> ended{0};
  std::uint64_t overhead_bytes() const noexcept override { return bytes; }
  void end() override { ++ended; }
  Result<std::unique_ptr<RunOutputs>> run(const std::vector<NamedTensorView>&,
                                          const std::vector<std::string>&, RunControl&) override {
    return Error{Code::internal, "test.run"};
  }
};

TEST_F(ResidencyTest, CountsWhatIsTakenPastWhatWasSetAsideAndEndsItBeforeWhatServes) {
  vault_.add("busy", 20 * kMiB);
  vault_.add("idle", 10 * kMiB);
  Residency& residency = make({.budget_bytes = 60 * kMiB,
                               .measure_every = std::chrono::milliseconds(1)});
  const Lease busy = residency.acquire(ref_of("busy"), soon()).value();
  ASSERT_TRUE(residency.acquire(ref_of("idle"), soon()).ok());
  auto memory = residency.set_aside(20 * kMiB, soon()).value();
  GrowingModel trial;
  memory->add(trial, 5 * kMiB);
  trial.bytes = 20 * kMiB;
  while (residency.resident_bytes() != 55 * kMiB) std::this_thread::yield();
  trial.bytes = 30 * kMiB;
  while (names(residency) != std::set<std::string>{"busy"}) std::this_thread::yield();
  EXPECT_EQ(trial.ended, 0);
  trial.bytes = 40 * kMiB;
  while (trial.ended == 0) std::this_thread::yield();
  EXPECT_FALSE(memory->exceeded_all()) << "alone it would have had its room";
  trial.bytes = 70 * kMiB;
  while (!memory->exceeded_all()) std::this_thread::yield();
  EXPECT_EQ(engine_.ended, 0);
  memory->remove(trial);
  memory.reset();
  EXPECT_EQ(residency.resident_bytes(), 20 * kMiB);
}

TEST_F(ResidencyTest, LoadsAgainWhatOnceGrewPastTheBudget) {
  vault_.add("m", 10 * kMiB);
  Residency& residency = make({.budget_bytes = 40 * kMiB,
                               .measure_every = std::chrono::milliseconds(1)});
  ASSERT_TRUE(residency.acquire(ref_of("m"), soon()).ok());
  engine_.growth = 40 * kMiB;
  while (!names(residency).empty()) std::this_thread::yield();
  engine_.growth = 0;
  EXPECT_TRUE(residency.acquire(ref_of("m"), soon()).ok());
}

TEST_F(ResidencyTest, EvictsAsModelsGrowAndEndsWhatGrowsPastEverything) {
  vault_.add("busy", 10 * kMiB);
  vault_.add("idle", 10 * kMiB);
  Residency& residency = make({.budget_bytes = 60 * kMiB,
                               .measure_every = std::chrono::milliseconds(1)});
  const auto busy = std::make_unique<Lease>(residency.acquire(ref_of("busy"), soon()).value());
  ASSERT_TRUE(residency.acquire(ref_of("idle"), soon()).ok());
  engine_.shared = 20 * kMiB;
  engine_.growth = 15 * kMiB;
  while (names(residency) != std::set<std::string>{"busy"}) std::this_thread::yield();
  EXPECT_EQ(engine_.ended, 0);
  engine_.growth = 45 * kMiB;
  while (engine_.ended == 0) std::this_thread::yield();
}

TEST_F(ResidencyTest, LimitsWhatOnePrincipalWaitsForAndServesOthersMeanwhile) {
  for (const char* name : {"a", "b", "c", "d", "e"}) vault_.add(name, kMiB);
  std::atomic<bool> go{false};
  vault_.on_open = [&](const VersionRef& ref) -> Status {
    while (ref.model.name != "e" && !go) std::this_thread::yield();
    return Done{};
  };
  Residency& residency = make({.loads_at_once = 1, .loads_per_principal_max = 1});
  std::jthread first([&] {
    EXPECT_TRUE(residency.acquire(ref_of("a"), soon(), {"greedy"}).ok());
  });
  while (vault_.opened == 0) std::this_thread::yield();
  RunControl control;
  std::atomic<int> refused{0};
  std::atomic<int> left{0};
  std::vector<std::jthread> more;
  for (const char* name : {"b", "c", "d"}) {
    more.emplace_back([&, name] {
      const auto waited = residency.acquire(ref_of(name), soon(), {"greedy", &control});
      if (!waited.ok() && waited.error().code == Code::busy) ++refused;
      if (!waited.ok() && waited.error().code == Code::unavailable) ++left;
    });
  }
  while (refused < 2) std::this_thread::yield();
  EXPECT_TRUE(residency.acquire(ref_of("e"), soon(), {"other"}).ok()) << "by another loader";
  control.cancel();
  more.clear();
  EXPECT_EQ(left, 1);
  go = true;
}

TEST_F(ResidencyTest, ServesOtherModelsWhileOneLoads) {
  vault_.add("slow", kMiB);
  vault_.add("ready", kMiB);
  vault_.add("quick", kMiB);
  std::atomic<bool> go{false};
  vault_.on_open = [&](const VersionRef& ref) -> Status {
    while (ref.model.name == "slow" && !go) std::this_thread::yield();
    return Done{};
  };
  Residency& residency = make({});
  ASSERT_TRUE(residency.acquire(ref_of("ready"), soon()).ok());
  std::jthread slow([&] { EXPECT_TRUE(residency.acquire(ref_of("slow"), soon()).ok()); });
  EXPECT_TRUE(serves(residency.acquire(ref_of("ready"), soon()).value(), "ready"));
  EXPECT_TRUE(serves(residency.acquire(ref_of("quick"), soon()).value(), "quick"));
  go = true;
}

TEST_F(ResidencyTest, LetsRunningRequestsFinishOnAnUnloadedModel) {
  vault_.add("m", kMiB);
  Residency& residency = make({});
  auto lease = std::make_unique<Lease>(residency.acquire(ref_of("m"), soon()).value());
  EXPECT_TRUE(residency.unload(ref_of("m")).ok());
  EXPECT_TRUE(residency.resident().empty());
  EXPECT_EQ(residency.resident_bytes(), kMiB) << "still in memory, still counted";
  EXPECT_TRUE(serves(*lease, "m"));
  lease.reset();
  // Whoever measures memory just then still has the model for a moment.
  const SteadyTime deadline = soon();
  while (residency.resident_bytes() != 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(residency.resident_bytes(), 0U);
  EXPECT_TRUE(serves(residency.acquire(ref_of("m"), soon()).value(), "m"));
  EXPECT_EQ(vault_.opened, 2);
}

TEST_F(ResidencyTest, CountsWhatModelsGrowToAndEvictsForIt) {
  for (const char* name : {"a", "b", "c"}) vault_.add(name, 10 * kMiB);
  Residency& residency = make({.budget_bytes = 60 * kMiB, .loads_at_once = 1});
  ASSERT_TRUE(residency.acquire(ref_of("a"), soon()).ok());
  ASSERT_TRUE(residency.acquire(ref_of("b"), soon()).ok());
  engine_.growth = 15 * kMiB;  // 25 MiB each, seen when it is used next
  ASSERT_TRUE(residency.acquire(ref_of("a"), soon()).ok());
  ASSERT_TRUE(residency.acquire(ref_of("b"), soon()).ok());
  EXPECT_EQ(residency.resident_bytes(), 50 * kMiB);
  ASSERT_TRUE(residency.acquire(ref_of("c"), soon()).ok());
  EXPECT_EQ(names(residency), (std::set<std::string>{"b", "c"}));
  EXPECT_LE(residency.resident_bytes(), 60 * kMiB);
}

TEST_F(ResidencyTest, KeepsItsBudgetAndServesTheRightModelUnderStress) {
  constexpr int kModels = 12;
  for (int m = 0; m < kModels; ++m) vault_.add("m" + std::to_string(m), kMiB);
  std::atomic<unsigned> opens{0};
  vault_.on_open = [&](const VersionRef&) -> Status {
    if (++opens % 17 == 0) return Error{Code::io, "fake.open"};
    return Done{};
  };
  Residency& residency = make({.budget_bytes = 20 * kMiB,
                               .loads_at_once = 3,
                               .retry_first = std::chrono::milliseconds(0)});
  std::atomic<int> served{0};
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(t + 1);
      for (int i = 0; i < 300; ++i) {
        const std::string name = "m" + std::to_string(random() % kModels);
        if (random() % 20 == 0) {
          (void)residency.unload(ref_of(name)).ok();
          continue;
        }
        const auto lease = residency.acquire(ref_of(name), soon());
        if (!lease.ok()) continue;
        EXPECT_TRUE(serves(lease.value(), name));
        EXPECT_LE(residency.resident_bytes(), 20 * kMiB);
        ++served;
      }
    });
  }
  threads.clear();
  EXPECT_GT(served, 1500);
  EXPECT_LE(engine_.most, 20 * kMiB);
}

TEST_F(ResidencyTest, PacksAModelAfterItsFirstUse) {
  engine_.waits = true;
  vault_.add("a", 4 * kMiB);
  Residency& residency = make({.budget_bytes = 64 * kMiB});
  {
    const auto lease = residency.acquire(ref_of("a"), soon());
    ASSERT_TRUE(lease.ok());
    EXPECT_TRUE(lease.value().optimised());
    EXPECT_EQ(engine_.packed, 0) << "nobody waits for packing";
  }
  engine_.packed.wait(0);
  EXPECT_EQ(engine_.packed, 1);
  ASSERT_TRUE(residency.acquire(ref_of("a"), soon()).ok());
  EXPECT_EQ(engine_.packed, 1) << "once";
}

TEST_F(ResidencyTest, PacksNothingThatTheBudgetCannotHoldTwice) {
  engine_.waits = true;
  vault_.add("a", 40 * kMiB);
  Residency& residency = make({.budget_bytes = 64 * kMiB});
  ASSERT_TRUE(residency.acquire(ref_of("a"), soon()).ok());
  ASSERT_TRUE(residency.acquire(ref_of("a"), soon()).ok());
  EXPECT_EQ(engine_.packed, 0);
  EXPECT_LE(residency.resident_bytes(), 64 * kMiB);
}

/// Weights whose last step turns out to be damaged.
class DamagedFilling final : public WeightsFilling {
 public:
  explicit DamagedFilling(std::uint64_t bytes) : arrival_(word_, bytes) {
    arrival_.finish(Error{Code::corrupt, "fake.fill"});
  }
  WeightsArrival& arrival() noexcept override { return arrival_; }

 private:
  std::atomic<std::uint32_t> word_{0};
  WeightsArrival arrival_;
};

TEST_F(ResidencyTest, LoadsTheCanonicalModelWhereItsOptimisedFormIsDamaged) {
  engine_.waits = true;
  vault_.add("a", 4 * kMiB);
  vault_.on_fill = [](const OpenedModel& model) -> std::unique_ptr<WeightsFilling> {
    if (!model.optimised) return nullptr;
    return std::make_unique<DamagedFilling>(model.weights.size());
  };
  Residency& residency = make({.budget_bytes = 64 * kMiB});
  for (;;) {
    const auto lease = residency.acquire(ref_of("a"), soon());
    if (lease.ok() && !lease.value().optimised()) break;
    if (!lease.ok()) {
      EXPECT_EQ(lease.error().code, Code::corrupt);
    }
  }
  EXPECT_EQ(vault_.opened, 2);
}

}  // namespace
}  // namespace cloister
