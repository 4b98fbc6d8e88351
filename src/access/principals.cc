#include "access/principals.h"

#include <algorithm>
#include <array>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "crypto/sha256.h"

namespace cloister {
namespace {

constexpr std::uint8_t kFormat = 2;
constexpr std::size_t kTokenBytes = 32;
constexpr std::string_view kTokenPrefix = "clst_";
constexpr std::size_t kTokenText = 48;
constexpr std::string_view kEndingAlphabet = "abcdefghijkmnpqrstuvwxyz23456789";
constexpr std::size_t kEnding = 8;  // 40 random bits
constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

Result<Role> role_of(std::uint8_t value) {
  if (value < 1 || value > 3) return Error{Code::corrupt, "principals.role"};
  return static_cast<Role>(value);
}

std::uint64_t seconds_of(UtcSeconds time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

/// The first owner creates owners, operators and callers; every owner creates callers.
bool may_create(Role creator, bool is_first, Role role) {
  return creator == Role::owner && (is_first || role == Role::caller);
}

Result<std::string> with_random_ending(std::string_view label, Entropy& entropy) {
  std::array<std::byte, kEnding> random{};
  CLOISTER_TRY(entropy.fill(random));
  std::string id = std::string(label) + "-";
  for (const std::byte each : random) {
    id += kEndingAlphabet[std::to_integer<std::size_t>(each) % kEndingAlphabet.size()];
  }
  return id;
}

}  // namespace

const char* name_of(Role role) noexcept {
  switch (role) {
    case Role::owner: return "owner";
    case Role::caller: return "caller";
    case Role::operator_: return "operator";
  }
  return "caller";
}

std::optional<Role> role_named(std::string_view name) noexcept {
  for (const Role each : {Role::owner, Role::caller, Role::operator_}) {
    if (name == name_of(each)) return each;
  }
  return {};
}

/// Makes token texts and hashes presented ones: the only place that reads a token's bytes.
class TokenMint {
 public:
  static Result<SecretBytes> make(Entropy& entropy) {
    SecretBytes random(kTokenBytes);
    CLOISTER_TRY(entropy.fill(random.fill(RevealToken())));
    SecretBytes text(kTokenText);
    const MutableBytes out = text.fill(RevealToken());
    std::size_t at = 0;
    for (const char c : kTokenPrefix) out[at++] = static_cast<std::byte>(c);
    // Base64url without padding, written into memory that wipes itself.
    std::uint32_t bits = 0;
    int held = 0;
    for (const std::byte each : random.reveal(RevealToken())) {
      bits = (bits << 8) | std::to_integer<std::uint32_t>(each);
      held += 8;
      while (held >= 6) {
        held -= 6;
        out[at++] = static_cast<std::byte>(kAlphabet[(bits >> held) & 63]);
      }
    }
    out[at] = static_cast<std::byte>(kAlphabet[(bits << (6 - held)) & 63]);
    return text;
  }
  static Sha256Digest digest(const SecretBytes& text) { return sha256(text.reveal(RevealToken())); }
  static std::string show(const SecretBytes& text) {
    return std::string(text_of(text.reveal(RevealToken())));
  }
};

std::string NewToken::show_once() const {
  return TokenMint::show(text_);
}

Result<std::unique_ptr<Principals>> Principals::open(RecordStore& store, Entropy& entropy,
                                                     const Clock& clock) {
  std::unique_ptr<Principals> made(new Principals(store, entropy, clock));
  CLOISTER_TRY(store.load([&made](Bytes content) -> Status {
    if (content.empty()) return Done{};
    CLOISTER_ASSIGN(auto principals, decode(content));
    const MutexLock lock(made->mutex_);
    made->principals_ = std::move(principals);
    made->index();
    return Done{};
  }));
  return made;
}

Status Principals::ensure(const PrincipalId& id, Role role) {
  if (!is_name(id.value)) return Error{Code::invalid, "principals.name"};
  const MutexLock change(changes_);
  auto changed = current();
  for (const Principal& each : changed) {
    if (each.id != id) continue;
    if (each.role != role) return Error{Code::conflict, "principals.role"};
    return Done{};
  }
  if (changed.size() >= kPrincipalsMax) return Error{Code::too_large, "principals.count"};
  changed.push_back({id, role, {}, {}});
  return replace(std::move(changed));
}

Result<PrincipalId> Principals::create(const Caller& creator, std::string_view label, Role role) {
  if (!is_name(label) || label.size() > kLabelMax) {
    return Error{Code::invalid, "principals.label",
                 Detail("a principal's name is 1 to 48 of A-Z a-z 0-9 _ -")};
  }
  const MutexLock change(changes_);
  auto changed = current();
  const auto self = std::ranges::find(changed, creator.id(), &Principal::id);
  if (self == changed.end() || !may_create(self->role, self->creator.empty(), role)) {
    return Error{Code::denied, "principals.create",
                 Detail("owners create callers; only the first owner creates others")};
  }
  const auto created = std::ranges::count(changed, creator.id().value, &Principal::creator);
  if (static_cast<std::size_t>(created) >= kCreatedMax || changed.size() >= kPrincipalsMax) {
    return Error{Code::too_large, "principals.count",
                 Detail("as many principals as there may be; remove some first")};
  }
  CLOISTER_ASSIGN(std::string name, with_random_ending(label, entropy_));
  const PrincipalId id{std::move(name)};
  if (std::ranges::find(changed, id, &Principal::id) != changed.end()) {
    return Error{Code::unavailable, "principals.ending"};
  }
  changed.push_back({id, role, creator.id().value, {}});
  CLOISTER_TRY(replace(std::move(changed)));
  return id;
}

Status Principals::remove(const Caller& creator, const PrincipalId& id) {
  const MutexLock change(changes_);
  auto changed = current();
  const auto removed = std::erase_if(changed, [&](const Principal& each) {
    return each.id == id && each.creator == creator.id().value;
  });
  if (removed == 0) return Error{Code::not_found, "principals.remove", Detail("no such principal")};
  return replace(std::move(changed));
}

std::vector<CreatedPrincipal> Principals::created_by(const Caller& creator) const {
  const UtcSeconds now = clock_.utc();
  std::vector<CreatedPrincipal> created;
  const MutexLock lock(mutex_);
  for (const Principal& each : principals_) {
    if (each.creator != creator.id().value) continue;
    const auto live = std::ranges::count_if(
        each.tokens, [&](const Token& token) { return token.expires > now; });
    created.push_back({each.id, each.role, static_cast<std::size_t>(live)});
  }
  std::ranges::sort(created, {}, &CreatedPrincipal::id);
  return created;
}

bool Principals::may_manage(const Caller& caller, const PrincipalId& id) const {
  if (caller.id() == id) return caller.role() == Role::owner;
  return created(caller, id);
}

bool Principals::created(const Caller& creator, const PrincipalId& id) const {
  const MutexLock lock(mutex_);
  return std::ranges::any_of(principals_, [&](const Principal& each) {
    return each.id == id && each.creator == creator.id().value;
  });
}

bool Principals::knows(const PrincipalId& id) const {
  const MutexLock lock(mutex_);
  return std::any_of(principals_.begin(), principals_.end(),
                     [&](const Principal& each) { return each.id == id; });
}

Status Principals::trust_key(const PrincipalId& id, const std::array<std::byte, 32>& spki_sha256) {
  if (!knows(id)) return Error{Code::not_found, "principals.key"};
  const MutexLock lock(mutex_);
  keys_.push_back({spki_sha256, id});
  return Done{};
}

Result<NewToken> Principals::mint(const PrincipalId& id, std::chrono::seconds life) {
  if (life < std::chrono::seconds{1} || life > kTokenLifeMax) {
    return Error{Code::invalid, "principals.token_life",
                 Detail("a token's life is 1 second to 366 days")};
  }
  CLOISTER_ASSIGN(SecretBytes text, TokenMint::make(entropy_));
  const UtcSeconds now = clock_.utc();
  const UtcSeconds expires = now + life;
  const MutexLock change(changes_);
  auto changed = current();
  const auto found = std::find_if(changed.begin(), changed.end(),
                                  [&](const Principal& each) { return each.id == id; });
  if (found == changed.end()) return Error{Code::not_found, "principals.mint"};
  std::erase_if(found->tokens, [&](const Token& each) { return each.expires <= now; });
  if (found->tokens.size() >= kTokensPerPrincipalMax) {
    return Error{Code::too_large, "principals.tokens",
                 Detail("this principal has 64 live tokens; revoke some first")};
  }
  found->tokens.push_back({TokenMint::digest(text), expires});
  CLOISTER_TRY(replace(std::move(changed)));
  return NewToken(std::move(text), expires);
}

Status Principals::revoke_tokens(const PrincipalId& id) {
  const MutexLock change(changes_);
  auto changed = current();
  const auto found = std::find_if(changed.begin(), changed.end(),
                                  [&](const Principal& each) { return each.id == id; });
  if (found == changed.end()) return Error{Code::not_found, "principals.revoke"};
  found->tokens.clear();
  return replace(std::move(changed));
}

Result<Caller> Principals::acting_for(const PrincipalId& owner) const {
  const MutexLock lock(mutex_);
  const auto found = std::ranges::find(principals_, owner, &Principal::id);
  if (found == principals_.end() || found->role != Role::owner) {
    return Error{Code::not_found, "principals.acting_for"};
  }
  return Caller(found->id, found->role);
}

Result<Caller> Principals::authenticate(std::string_view token) const {
  if (token.size() != kTokenText || !token.starts_with(kTokenPrefix)) {
    return Error{Code::unauthenticated, "principals.token"};
  }
  // Only digests are compared, so timing says nothing about a token: to steer the search, one would
  // have to choose a SHA-256.
  const Sha256Digest digest = sha256(bytes_of(token));
  const UtcSeconds now = clock_.utc();
  const MutexLock lock(mutex_);
  const auto found = by_token_.find(digest);
  if (found == by_token_.end() || found->second.expires <= now) {
    return Error{Code::unauthenticated, "principals.token"};
  }
  const Principal& holder = principals_[found->second.principal];
  return Caller(holder.id, holder.role);
}

Result<Caller> Principals::authenticate_key(const std::array<std::byte, 32>& spki_sha256) const {
  const MutexLock lock(mutex_);
  for (const TrustedKey& key : keys_) {
    if (!equal_in_constant_time(key.spki_sha256, spki_sha256)) continue;
    for (const Principal& principal : principals_) {
      if (principal.id == key.id) return Caller(principal.id, principal.role);
    }
  }
  return Error{Code::unauthenticated, "principals.key"};
}

Result<Caller> Principals::proven(const PrincipalId& id) const {
  const MutexLock lock(mutex_);
  const auto found = std::ranges::find(principals_, id, &Principal::id);
  if (found == principals_.end()) return Error{Code::unauthenticated, "principals.proven"};
  return Caller(found->id, found->role);
}

std::vector<Principals::Principal> Principals::current() const {
  const MutexLock lock(mutex_);
  return principals_;
}

Status Principals::replace(std::vector<Principal> changed) {
  CLOISTER_TRY(store_.save(encode(changed)));
  const MutexLock lock(mutex_);
  principals_ = std::move(changed);
  index();
  return Done{};
}

void Principals::index() {
  by_token_.clear();
  for (std::size_t i = 0; i < principals_.size(); ++i) {
    for (const Token& each : principals_[i].tokens) by_token_[each.sha256] = {i, each.expires};
  }
}

ByteVector Principals::encode(const std::vector<Principal>& principals) {
  ByteWriter writer;
  writer.u8(kFormat);
  writer.u32_le(static_cast<std::uint32_t>(principals.size()));
  for (const Principal& each : principals) {
    writer.u8(static_cast<std::uint8_t>(each.id.value.size()));
    writer.bytes(bytes_of(each.id.value));
    writer.u8(static_cast<std::uint8_t>(each.role));
    writer.u8(static_cast<std::uint8_t>(each.creator.size()));
    writer.bytes(bytes_of(each.creator));
    writer.u8(static_cast<std::uint8_t>(each.tokens.size()));
    for (const Token& token : each.tokens) {
      writer.bytes(token.sha256);
      writer.u64_le(seconds_of(token.expires));
    }
  }
  return std::move(writer).take();
}

Result<Principals::Principal> Principals::decode_one(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint8_t name_size, reader.u8());
  CLOISTER_ASSIGN(const Bytes name, reader.take(name_size));
  if (!is_name(text_of(name))) return Error{Code::corrupt, "principals.name"};
  CLOISTER_ASSIGN(const std::uint8_t role_value, reader.u8());
  CLOISTER_ASSIGN(const Role role, role_of(role_value));
  CLOISTER_ASSIGN(const std::uint8_t creator_size, reader.u8());
  CLOISTER_ASSIGN(const Bytes creator, reader.take(creator_size));
  if (creator_size != 0 && !is_name(text_of(creator))) {
    return Error{Code::corrupt, "principals.creator"};
  }
  CLOISTER_ASSIGN(const std::uint8_t tokens, reader.u8());
  if (tokens > kTokensPerPrincipalMax) return Error{Code::corrupt, "principals.tokens"};
  Principal principal{PrincipalId{std::string(text_of(name))}, role,
                      std::string(text_of(creator)), {}};
  for (std::uint8_t t = 0; t < tokens; ++t) {
    Token token;
    CLOISTER_ASSIGN(const Bytes digest, reader.take(token.sha256.size()));
    std::copy(digest.begin(), digest.end(), token.sha256.begin());
    CLOISTER_ASSIGN(const std::uint64_t expires, reader.u64_le());
    if (expires > (1ULL << 40)) return Error{Code::corrupt, "principals.expires"};
    token.expires = UtcSeconds(std::chrono::seconds(static_cast<std::int64_t>(expires)));
    principal.tokens.push_back(token);
  }
  return principal;
}

Result<std::vector<Principals::Principal>> Principals::decode(Bytes content) {
  ByteReader reader(content);
  CLOISTER_ASSIGN(const std::uint8_t format, reader.u8());
  if (format != kFormat) return Error{Code::corrupt, "principals.format"};
  CLOISTER_ASSIGN(const std::uint32_t count, reader.u32_le());
  if (count > kPrincipalsMax) return Error{Code::corrupt, "principals.count"};
  std::vector<Principal> principals;
  for (std::uint32_t i = 0; i < count; ++i) {
    CLOISTER_ASSIGN(Principal principal, decode_one(reader));
    principals.push_back(std::move(principal));
  }
  if (!reader.empty()) return Error{Code::corrupt, "principals.trailing"};
  return principals;
}

}  // namespace cloister
