#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "access/record_store.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "model/model.h"

namespace cloister {

inline constexpr std::size_t kGrantsPerModelMax = 1'000;
inline constexpr std::size_t kGrantsMax = 15'000;

/// What a grant allows; docs/access.md has the table of rights and routes.
enum class Right : std::uint8_t {
  infer = 1,     ///< run the model
  metadata = 2,  ///< read its signature
  manage = 4,    ///< load and unload it
};

/// "infer", "metadata", "manage"; and back, nothing for another word.
const char* name_of(Right right) noexcept;
std::optional<Right> right_named(std::string_view name) noexcept;

/// A set of rights.
struct Rights {
  std::uint8_t bits = 0;
  bool has(Right right) const noexcept { return (bits & static_cast<std::uint8_t>(right)) != 0; }
  void add(Right right) noexcept { bits |= static_cast<std::uint8_t>(right); }
  bool empty() const noexcept { return bits == 0; }
  bool operator==(const Rights&) const = default;
};

/// What an owner lets another principal do with one model: with one version, or with all of them,
/// those to come included.
struct Grant {
  ModelId model;
  std::optional<VersionNumber> version;
  PrincipalId to;
  Rights rights;
  std::optional<UtcSeconds> expires;  ///< nothing from then on
  bool receipts = false;              ///< each answer carries a receipt, asked for or not
  bool operator==(const Grant&) const = default;
};

/// Which grants there are. One for each (model, version or all, principal). Safe from several
/// threads; `store` and `clock` outlive it.
class Grants {
 public:
  /// Fails: `corrupt` when the store's content cannot be read.
  static Result<std::unique_ptr<Grants>> open(RecordStore& store, const Clock& clock);

  /// Gives, or replaces what was given for the same model, version and principal. Takes effect at
  /// once and is durable on success. Fails: `invalid` (no right, an expiry that has passed, the
  /// owner himself), `too_large` (kGrantsPerModelMax, kGrantsMax), `io`.
  Status give(const Grant& grant);
  /// Takes back; what is not there is no error, so that nobody learns whether it was. At once and
  /// durable. Fails: `io`.
  Status take_back(const ModelId& model, std::optional<VersionNumber> version,
                   const PrincipalId& from);
  /// Takes back all that concerns a model whose last version was erased. Fails: `io`.
  Status forget_model(const ModelId& model);

  /// What `principal` may do with this version now: the union of his grants that have not expired.
  Rights rights_of(const PrincipalId& principal, const VersionRef& version) const;
  /// Whether a live grant of his to this version demands a receipt with each answer.
  bool demands_receipt(const PrincipalId& principal, const VersionRef& version) const;
  /// Live grants on a model, in order of version and principal.
  std::vector<Grant> on_model(const ModelId& model) const;
  /// Live grants to a principal.
  std::vector<Grant> to_principal(const PrincipalId& principal) const;

 private:
  struct Key {
    PrincipalId to;
    ModelId model;
    std::uint64_t version = 0;  ///< 0 for all
    auto operator<=>(const Key&) const = default;
  };
  struct Terms {
    Rights rights;
    std::optional<UtcSeconds> expires;
    bool receipts = false;
  };
  using Table = std::map<Key, Terms>;

  Grants(RecordStore& store, const Clock& clock) : store_(store), clock_(clock) {}
  static ByteVector encode(const Table& table);
  static Result<Table> decode(Bytes content);
  static Grant grant_of(const Key& key, const Terms& terms);
  bool is_live(const Terms& terms) const { return !terms.expires || clock_.utc() < *terms.expires; }
  Table current() const EXCLUDES(mutex_);
  Status replace(Table table) REQUIRES(changes_) EXCLUDES(mutex_);

  RecordStore& store_;
  const Clock& clock_;
  Mutex changes_;  // one change at a time; taken before mutex_
  mutable Mutex mutex_;
  Table table_ GUARDED_BY(mutex_);
};

}  // namespace cloister
