#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "access/record_store.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "crypto/hpke.h"

namespace cloister {

/// How long a key for sealed models is shown, and how long it still opens what was sealed to it
/// after another took its place.
struct SealedKeySettings {
  std::chrono::seconds shown{std::chrono::days(90)};
  std::chrono::seconds kept{std::chrono::days(90)};
};

/// The server's keys for sealed models: the one that it shows, and those before it that still
/// open files on their way. Kept sealed in the store. Ages go by the host's clock. Safe from
/// several threads. Source: docs/sealed-models.md, "Keys".
class SealedKeys {
 public:
  /// At most so many keys; the oldest goes before its time where there would be more.
  static constexpr std::size_t kKeysMax = 16;
  using Key = std::shared_ptr<const KemPrivateKey>;

  /// Takes the keys that `store` keeps, or makes the first one, and does what is due.
  /// `store` and `clock` must outlive it. Fails: `corrupt`, `io`, `internal`.
  static Result<std::unique_ptr<SealedKeys>> open(RecordStore& store, const Clock& clock,
                                                  SealedKeySettings settings);

  /// Shows a new key where the one that is shown has had its time, and destroys those that were
  /// kept long enough: they are gone from memory and from the newest catalogue. True where another
  /// key is shown now. Fails: `io`, `internal`; everything is as before then.
  Result<bool> rotate();

  /// Those that open files; the first is the one that is shown.
  std::vector<Key> keys() const;

 private:
  struct Entry {
    Key key;
    UtcSeconds made{};
    std::optional<UtcSeconds> replaced;  ///< nothing for the one that is shown
  };
  using Entries = std::vector<Entry>;

  SealedKeys(RecordStore& store, const Clock& clock, SealedKeySettings settings)
      : store_(store), clock_(clock), settings_(settings) {}
  static Result<Entries> decode(Bytes content);
  Status save(const Entries& entries);

  RecordStore& store_;
  const Clock& clock_;
  const SealedKeySettings settings_;
  Mutex changes_;  // one change at a time; taken before mutex_
  mutable Mutex mutex_;
  Entries entries_ GUARDED_BY(mutex_);
};

}  // namespace cloister
