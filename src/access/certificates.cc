#include "access/certificates.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "access/certificate_names.h"
#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace cloister {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kByKey = 1;
constexpr std::uint8_t kByName = 2;
constexpr std::size_t kProvenMax = 1024;
constexpr Oid kNameConstraints("2.5.29.30");

Error damaged() { return Error{Code::corrupt, "certificates.record"}; }

/// What we would have to apply and do not makes a certificate unusable.
bool is_understood(const Certificate& certificate) {
  return !certificate.has_unknown_critical() && !certificate.extension(kNameConstraints);
}

bool is_authority(const Certificate& certificate) {
  return certificate.is_ca() && certificate.may_sign_certificates() && is_understood(certificate);
}

/// Whether `above` vouches for `below`, `authorities` of which stand below `above`.
bool signs(const Certificate& above, const Certificate& below, std::size_t authorities) {
  if (!is_authority(above) || !std::ranges::equal(above.subject(), below.issuer())) return false;
  if (above.path_length() && *above.path_length() < authorities) return false;
  const auto key = PublicKey::from_spki(above.spki());
  return key.ok() && below.check_signature(key.value()).ok();
}

Sha256Digest digest_of(const std::vector<ByteVector>& chain) {
  ByteWriter lengths;
  Sha256Stream stream;
  for (const ByteVector& each : chain) lengths.u32_le(static_cast<std::uint32_t>(each.size()));
  stream.update(lengths.view());
  for (const ByteVector& each : chain) stream.update(each);
  return stream.finish();
}

void write_text(ByteWriter& writer, std::string_view text) {
  writer.u8(static_cast<std::uint8_t>(text.size()));
  writer.bytes(bytes_of(text));
}

Result<std::string> read_text(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint8_t size, reader.u8());
  CLOISTER_ASSIGN(const Bytes text, reader.take(size));
  return std::string(text_of(text));
}

Result<AuthorityName> read_authority_name(ByteReader& reader) {
  AuthorityName name;
  CLOISTER_ASSIGN(name.owner.value, read_text(reader));
  CLOISTER_ASSIGN(name.label, read_text(reader));
  if (!is_name(name.owner.value) || !is_name(name.label)) return damaged();
  return name;
}

}  // namespace

Result<std::unique_ptr<Certificates>> Certificates::open(RecordStore& store, const Clock& clock) {
  std::unique_ptr<Certificates> opened(new Certificates(store, clock));
  CLOISTER_TRY(store.load([&opened](Bytes content) -> Status {
    if (content.empty()) return Done{};
    CLOISTER_ASSIGN(Table table, decode(content));
    const MutexLock lock(opened->mutex_);
    opened->table_ = std::make_shared<const Table>(std::move(table));
    return Done{};
  }));
  return opened;
}

Status Certificates::add_authority(const AuthorityName& name, Bytes der) {
  if (der.size() > kAuthorityBytesMax) return Error{Code::too_large, "certificates.size"};
  auto parsed = Certificate::parse(der);
  const bool usable = is_name(name.label) && parsed.ok() && is_authority(parsed.value()) &&
                      PublicKey::from_spki(parsed.value().spki()).ok();
  if (!usable) {
    return Error{Code::invalid, "certificates.authority",
                 Detail("expected a name of A-Z a-z 0-9 _ - and one X.509 certificate of an "
                        "authority, without name constraints, with an ECDSA P-256 or P-384 or an "
                        "RSA key")};
  }
  const MutexLock change(changes_);
  Table changed = *current();
  changed.authorities[name] = std::make_shared<const Certificate>(std::move(parsed).value());
  const auto own = std::ranges::count_if(
      changed.authorities, [&](const auto& each) { return each.first.owner == name.owner; });
  if (static_cast<std::size_t>(own) > kAuthoritiesPerOwnerMax ||
      changed.authorities.size() > kAuthoritiesMax) {
    return Error{Code::too_large, "certificates.authorities"};
  }
  return replace(std::move(changed));
}

Status Certificates::remove_authority(const AuthorityName& name) {
  const MutexLock change(changes_);
  Table changed = *current();
  if (changed.authorities.erase(name) == 0) {
    return Error{Code::not_found, "certificates.authority", Detail("no such authority")};
  }
  return replace(std::move(changed));
}

std::vector<AuthorityLine> Certificates::authorities_of(const PrincipalId& owner) const {
  const TablePointer table = current();
  std::vector<AuthorityLine> lines;
  for (const auto& [name, authority] : table->authorities) {
    if (name.owner != owner) continue;
    lines.push_back({name.label, sha256(authority->der()), authority->not_after()});
  }
  return lines;
}

Status Certificates::bind(const PrincipalId& principal, const CertificateBinding& binding) {
  const MutexLock change(changes_);
  Table changed = *current();
  if (!binding.key) {
    if (binding.name.empty() || binding.name.size() > kCertificateNameMax) {
      return Error{Code::invalid, "certificates.name",
                   Detail("a certificate's name is 1 to 255 bytes")};
    }
    if (!changed.authorities.contains(binding.authority)) {
      return Error{Code::not_found, "certificates.authority", Detail("no such authority")};
    }
  }
  changed.bindings[principal] = binding;
  if (changed.bindings.size() > kBindingsMax) {
    return Error{Code::too_large, "certificates.bindings"};
  }
  return replace(std::move(changed));
}

Status Certificates::unbind(const PrincipalId& principal) {
  const MutexLock change(changes_);
  Table changed = *current();
  if (changed.bindings.erase(principal) == 0) return Done{};
  return replace(std::move(changed));
}

Status Certificates::forget(const PrincipalId& principal) {
  const MutexLock change(changes_);
  Table changed = *current();
  auto gone = changed.bindings.erase(principal);
  gone += std::erase_if(changed.authorities,
                        [&](const auto& each) { return each.first.owner == principal; });
  return gone == 0 ? Status(Done{}) : replace(std::move(changed));
}

std::vector<PrincipalId> Certificates::holders(const std::vector<ByteVector>& chain) const {
  const Sha256Digest digest = digest_of(chain);
  TablePointer table;
  ProvenPointer proven;
  {
    const MutexLock lock(mutex_);
    table = table_;
    const auto found = proven_.find(digest);
    if (found != proven_.end()) proven = found->second;
  }
  if (table->bindings.empty()) return {};
  if (proven == nullptr) {
    proven = std::make_shared<const Proven>(prove(chain, *table));
    const MutexLock lock(mutex_);
    if (proven_.size() >= kProvenMax) proven_.clear();
    if (table == table_) proven_[digest] = proven;
  }
  const UtcSeconds now = clock_.utc();
  std::vector<PrincipalId> holders;
  if (!proven->key || now < proven->not_before || now > proven->not_after) return holders;
  const auto add = [&holders](auto range) {
    for (auto each = range.first; each != range.second; ++each) holders.push_back(each->second);
  };
  add(table->by_key.equal_range(*proven->key));
  for (const Proven::Path& path : proven->paths) {
    if (now < path.not_before || now > path.not_after) continue;
    for (const std::string& name : proven->names) {
      add(table->by_name.equal_range({path.authority, name}));
    }
  }
  std::ranges::sort(holders);
  holders.erase(std::ranges::unique(holders).begin(), holders.end());
  return holders;
}

Certificates::Proven Certificates::prove(const std::vector<ByteVector>& chain,
                                         const Table& table) {
  Proven proven;
  std::vector<Certificate> parsed;
  for (const ByteVector& der : chain) {
    if (parsed.size() == kChainLengthMax) break;
    auto certificate = Certificate::parse(der);
    // Each must be vouched for by the one behind it; what is left over is not looked at.
    const bool fits = certificate.ok() &&
                      (parsed.empty() ||
                       signs(certificate.value(), parsed.back(), parsed.size() - 1));
    if (!fits) break;
    parsed.push_back(std::move(certificate).value());
  }
  if (parsed.empty()) return proven;
  const Certificate& leaf = parsed.front();
  const auto client = may_be_a_client(leaf);
  auto names = names_in(leaf);
  if (!client.ok() || !client.value() || !names.ok() || !is_understood(leaf)) return proven;
  proven.key = sha256(leaf.spki());
  proven.not_before = leaf.not_before();
  proven.not_after = leaf.not_after();
  proven.names = std::move(names).value();
  for (const auto& [name, authority] : table.authorities) {
    if (const auto path = path_to(parsed, name, *authority)) proven.paths.push_back(*path);
  }
  return proven;
}

/// The shortest way from the client's certificate to the authority, over what the client sent.
std::optional<Certificates::Proven::Path> Certificates::path_to(
    const std::vector<Certificate>& chain, const AuthorityName& name,
    const Certificate& authority) {
  Proven::Path path{name, authority.not_before(), authority.not_after()};
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (i > 0) {
      path.not_before = std::max(path.not_before, chain[i].not_before());
      path.not_after = std::min(path.not_after, chain[i].not_after());
    }
    if (signs(authority, chain[i], i)) return path;
  }
  return {};
}

Certificates::TablePointer Certificates::current() const {
  const MutexLock lock(mutex_);
  return table_;
}

Status Certificates::replace(Table table) {
  CLOISTER_TRY(store_.save(encode(table)));
  table.by_key.clear();
  table.by_name.clear();
  for (const auto& [principal, binding] : table.bindings) {
    if (binding.key) {
      table.by_key.emplace(*binding.key, principal);
    } else {
      table.by_name.emplace(std::pair(binding.authority, binding.name), principal);
    }
  }
  auto made = std::make_shared<const Table>(std::move(table));
  const MutexLock lock(mutex_);
  table_ = std::move(made);
  proven_.clear();
  return Done{};
}

ByteVector Certificates::encode(const Table& table) {
  ByteWriter writer;
  writer.u8(kFormat);
  writer.u32_le(static_cast<std::uint32_t>(table.authorities.size()));
  for (const auto& [name, authority] : table.authorities) {
    write_text(writer, name.owner.value);
    write_text(writer, name.label);
    writer.u32_le(static_cast<std::uint32_t>(authority->der().size()));
    writer.bytes(authority->der());
  }
  writer.u32_le(static_cast<std::uint32_t>(table.bindings.size()));
  for (const auto& [principal, binding] : table.bindings) {
    write_text(writer, principal.value);
    writer.u8(binding.key ? kByKey : kByName);
    if (binding.key) {
      writer.bytes(*binding.key);
      continue;
    }
    write_text(writer, binding.authority.owner.value);
    write_text(writer, binding.authority.label);
    write_text(writer, binding.name);
  }
  return std::move(writer).take();
}

Result<Certificates::Table> Certificates::decode(Bytes content) {
  ByteReader reader(content);
  Table table;
  CLOISTER_ASSIGN(const std::uint8_t format, reader.u8());
  CLOISTER_ASSIGN(const std::uint32_t authorities, reader.u32_le());
  if (format != kFormat || authorities > kAuthoritiesMax) return damaged();
  for (std::uint32_t i = 0; i < authorities; ++i) {
    CLOISTER_ASSIGN(const AuthorityName name, read_authority_name(reader));
    CLOISTER_ASSIGN(const std::uint32_t size, reader.u32_le());
    if (size > kAuthorityBytesMax) return damaged();
    CLOISTER_ASSIGN(const Bytes der, reader.take(size));
    CLOISTER_ASSIGN(Certificate parsed, Certificate::parse(der));
    table.authorities[name] = std::make_shared<const Certificate>(std::move(parsed));
  }
  CLOISTER_ASSIGN(const std::uint32_t bindings, reader.u32_le());
  if (bindings > kBindingsMax) return damaged();
  for (std::uint32_t i = 0; i < bindings; ++i) {
    PrincipalId principal;
    CertificateBinding binding;
    CLOISTER_ASSIGN(principal.value, read_text(reader));
    CLOISTER_ASSIGN(const std::uint8_t kind, reader.u8());
    if (!is_name(principal.value) || (kind != kByKey && kind != kByName)) return damaged();
    if (kind == kByKey) {
      CLOISTER_ASSIGN(const Bytes key, reader.take(Sha256Digest{}.size()));
      std::ranges::copy(key, binding.key.emplace().begin());
      table.by_key.emplace(*binding.key, principal);
    } else {
      CLOISTER_ASSIGN(binding.authority, read_authority_name(reader));
      CLOISTER_ASSIGN(binding.name, read_text(reader));
      table.by_name.emplace(std::pair(binding.authority, binding.name), principal);
    }
    table.bindings[principal] = std::move(binding);
  }
  if (!reader.empty()) return damaged();
  return table;
}

}  // namespace cloister
