#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/record_store.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "crypto/x509.h"
#include "model/model.h"

namespace cloister {

inline constexpr std::size_t kAuthorityBytesMax = 8 * 1024;
inline constexpr std::size_t kAuthoritiesPerOwnerMax = 16;
inline constexpr std::size_t kAuthoritiesMax = 256;
inline constexpr std::size_t kBindingsMax = 10'000;
inline constexpr std::size_t kChainLengthMax = 4;         ///< the client's own certificate included
inline constexpr std::size_t kCertificateNameMax = 255;   ///< bytes

/// A certificate authority, as its owner calls it.
struct AuthorityName {
  PrincipalId owner;
  std::string label;  ///< is_name()
  auto operator<=>(const AuthorityName&) const = default;
};

struct AuthorityLine {
  std::string label;
  Sha256Digest sha256{};  ///< of its DER
  UtcSeconds not_after{};
};

/// What proves a principal: a key, in whatever certificate; or a name in a certificate below an
/// authority of who created him.
struct CertificateBinding {
  std::optional<Sha256Digest> key;          ///< SHA-256 of the SPKI DER; or else:
  AuthorityName authority;
  std::string name;  ///< a DNS, mail or URI name of the certificate, or its one common name
  bool operator==(const CertificateBinding&) const = default;
};

/// Client certificates: the authorities that owners added for their own principals, and what each
/// principal is proven by. Safe from several threads; `store` and `clock` outlive it.
/// Source: docs/access.md, "Client certificates"; RFC 5280, 6.1, for paths.
class Certificates {
 public:
  /// Fails: `corrupt`.
  static Result<std::unique_ptr<Certificates>> open(RecordStore& store, const Clock& clock);

  /// Adds one, or puts it in another's place. At once and durable, as all changes here.
  /// Fails: `invalid` (label; not one CA certificate that may be used), `too_large` (size, number),
  /// `io`.
  Status add_authority(const AuthorityName& name, Bytes der);
  /// Fails: `not_found`, `io`.
  Status remove_authority(const AuthorityName& name);
  /// In order of label.
  std::vector<AuthorityLine> authorities_of(const PrincipalId& owner) const;

  /// Replaces what proved `principal`. Fails: `invalid` (no name), `not_found` (no such authority),
  /// `too_large`, `io`.
  Status bind(const PrincipalId& principal, const CertificateBinding& binding);
  /// What is not there is no error. Fails: `io`.
  Status unbind(const PrincipalId& principal);
  /// Forgets a principal who is no more: his binding and his authorities. Fails: `io`.
  Status forget(const PrincipalId& principal);

  /// Whom this chain (DER each, the client's own first, its key proven by the handshake) proves
  /// now, in no order: nobody where anything about it does not hold. At most kChainLengthMax
  /// certificates are looked at. Never waits for a disk.
  std::vector<PrincipalId> holders(const std::vector<ByteVector>& chain) const;

 private:
  struct Table {
    std::map<AuthorityName, std::shared_ptr<const Certificate>> authorities;
    std::map<PrincipalId, CertificateBinding> bindings;
    // The same bindings by what they ask for.
    std::multimap<Sha256Digest, PrincipalId> by_key;
    std::multimap<std::pair<AuthorityName, std::string>, PrincipalId> by_name;
  };
  using TablePointer = std::shared_ptr<const Table>;
  /// What of a chain stays true until the authorities change, so that a connection's certificates
  /// are verified once and not for each of its requests.
  struct Proven {
    std::optional<Sha256Digest> key;  ///< nothing: the certificate is of no use
    UtcSeconds not_before{}, not_after{};
    std::vector<std::string> names;
    struct Path {
      AuthorityName authority;
      UtcSeconds not_before{}, not_after{};  ///< of all certificates above the client's
    };
    std::vector<Path> paths;
  };
  using ProvenPointer = std::shared_ptr<const Proven>;

  Certificates(RecordStore& store, const Clock& clock) : store_(store), clock_(clock) {}
  static ByteVector encode(const Table& table);
  static Result<Table> decode(Bytes content);
  TablePointer current() const EXCLUDES(mutex_);
  Status replace(Table table) REQUIRES(changes_) EXCLUDES(mutex_);
  static Proven prove(const std::vector<ByteVector>& chain, const Table& table);
  static std::optional<Proven::Path> path_to(const std::vector<Certificate>& chain,
                                             const AuthorityName& name,
                                             const Certificate& authority);

  RecordStore& store_;
  const Clock& clock_;
  Mutex changes_;  // one change at a time; taken before mutex_
  mutable Mutex mutex_;
  TablePointer table_ GUARDED_BY(mutex_) = std::make_shared<const Table>();
  mutable std::map<Sha256Digest, ProvenPointer> proven_ GUARDED_BY(mutex_);  // under table_
};

}  // namespace cloister
