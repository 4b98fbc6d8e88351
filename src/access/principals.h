#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/record_store.h"
#include "base/byte_reader.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/mutex.h"
#include "base/result.h"
#include "model/model.h"
#include "secret/secret_bytes.h"

namespace cloister {

inline constexpr std::size_t kPrincipalsMax = 10'000;
inline constexpr std::size_t kCreatedMax = 1'000;  ///< principals that one owner creates
inline constexpr std::size_t kLabelMax = 48;       ///< bytes of a label
inline constexpr std::size_t kTokensPerPrincipalMax = 64;
inline constexpr std::chrono::hours kTokenLifeMax{24 * 366};

/// What a principal may do at all; docs/access.md has the table of roles and routes.
enum class Role : std::uint8_t {
  owner = 1,     ///< stores models and runs his own
  caller = 2,    ///< runs what was granted to him
  operator_ = 3  ///< sees health; no model, no grant
};

/// "owner", "caller", "operator".
const char* name_of(Role role) noexcept;
/// Nothing for another word.
std::optional<Role> role_named(std::string_view name) noexcept;

/// Somebody who has proven who he is, for one request. Only Principals makes one.
class Caller {
 public:
  const PrincipalId& id() const noexcept { return id_; }
  Role role() const noexcept { return role_; }

 private:
  friend class Principals;
  Caller(PrincipalId id, Role role) : id_(std::move(id)), role_(role) {}
  PrincipalId id_;
  Role role_;
};

/// A token's text as it is shown to its holder, once. Wipes itself.
class NewToken {
 public:
  NewToken(SecretBytes text, UtcSeconds expires) : text_(std::move(text)), expires_(expires) {}
  /// ASCII, 48 characters: "clst_" and 43 of base64url.
  Bytes text(RevealToken token) const noexcept { return text_.reveal(token); }
  /// The same, for the one answer or the one line that shows it.
  std::string show_once() const;
  UtcSeconds expires() const noexcept { return expires_; }

 private:
  SecretBytes text_;
  UtcSeconds expires_;
};

struct CreatedPrincipal {
  PrincipalId id;
  Role role;
  std::size_t tokens;  ///< that have not expired
};

/// Who exists, and what proves it: bearer tokens (32 random bytes, only their SHA-256 is kept) and
/// keys of TLS client certificates. Safe from several threads; `store` and the others outlive it.
class Principals {
 public:
  /// Fails: `corrupt` when the store's content cannot be read.
  static Result<std::unique_ptr<Principals>> open(RecordStore& store, Entropy& entropy,
                                                  const Clock& clock);

  /// Adds a principal whom nobody created, or leaves an existing one of the same role as he is:
  /// how the first owner comes to be.
  /// Fails: `conflict` (other role), `too_large` (kPrincipalsMax), `invalid` (name), `io`.
  Status ensure(const PrincipalId& id, Role role);
  /// Adds a principal of `creator`'s. His id is `label` and a random ending, so that asking for a
  /// label tells nobody whether others have it. Who may create whom: docs/access.md.
  /// Fails: `denied` (role), `invalid` (label), `too_large` (kPrincipalsMax, kCreatedMax), `io`.
  Result<PrincipalId> create(const Caller& creator, std::string_view label, Role role);
  /// Forgets a principal of `creator`'s and his tokens, at once. Fails: `not_found` where there is
  /// none, or another's; `io`.
  Status remove(const Caller& creator, const PrincipalId& id);
  /// Whom `creator` created, in order of id.
  std::vector<CreatedPrincipal> created_by(const Caller& creator) const;
  /// Whether `caller` may mint and revoke tokens of `id`: an owner his own, a creator those of whom
  /// he created.
  bool may_manage(const Caller& caller, const PrincipalId& id) const;
  /// Whether `creator` created `id`.
  bool created(const Caller& creator, const PrincipalId& id) const;
  bool knows(const PrincipalId& id) const;
  /// Lets the holder of a TLS client key act as `id`; `spki_sha256` as in ConnectionFacts. Kept in
  /// memory only: the configuration, which the evidence covers, says it at every start.
  Status trust_key(const PrincipalId& id, const std::array<std::byte, 32>& spki_sha256);
  /// A new token for `id` that lives for `life` (1 s to kTokenLifeMax). Fails: `not_found`,
  /// `invalid`, `too_large` (kTokensPerPrincipalMax live ones), `io`.
  Result<NewToken> mint(const PrincipalId& id, std::chrono::seconds life);
  /// Forgets every token of `id`, at once. Fails: `not_found`, `io`.
  Status revoke_tokens(const PrincipalId& id);

  /// An owner without his credential, for what the configuration has done in his name at start.
  /// Fails: `not_found`.
  Result<Caller> acting_for(const PrincipalId& owner) const;
  /// Fails: `unauthenticated`, the same for an unknown, a malformed and an expired token.
  Result<Caller> authenticate(std::string_view token) const;
  Result<Caller> authenticate_key(const std::array<std::byte, 32>& spki_sha256) const;
  /// Him of whom Certificates says that he is proven. Fails: `unauthenticated` where he is no more.
  Result<Caller> proven(const PrincipalId& id) const;

 private:
  struct Token {
    std::array<std::byte, 32> sha256;
    UtcSeconds expires;
  };
  struct Principal {
    PrincipalId id;
    Role role;
    std::string creator;  ///< empty for the first owner
    std::vector<Token> tokens;
  };
  struct TrustedKey {
    std::array<std::byte, 32> spki_sha256;
    PrincipalId id;
  };

  Principals(RecordStore& store, Entropy& entropy, const Clock& clock)
      : store_(store), entropy_(entropy), clock_(clock) {}
  static Result<Principal> decode_one(ByteReader& reader);
  static Result<std::vector<Principal>> decode(Bytes content);
  static ByteVector encode(const std::vector<Principal>& principals);
  std::vector<Principal> current() const EXCLUDES(mutex_);
  /// Makes `changed` durable, then lets `authenticate` see it, which never waits for a disk.
  Status replace(std::vector<Principal> changed) REQUIRES(changes_) EXCLUDES(mutex_);

  /// A live token's way to its holder; digests are not secret, so any order of search will do.
  struct Holder {
    std::size_t principal;
    UtcSeconds expires;
  };
  void index() REQUIRES(mutex_);

  RecordStore& store_;
  Entropy& entropy_;
  const Clock& clock_;
  Mutex changes_;  // one change at a time; taken before mutex_
  mutable Mutex mutex_;
  std::vector<Principal> principals_ GUARDED_BY(mutex_);
  std::map<std::array<std::byte, 32>, Holder> by_token_ GUARDED_BY(mutex_);
  std::vector<TrustedKey> keys_ GUARDED_BY(mutex_);
};

}  // namespace cloister
