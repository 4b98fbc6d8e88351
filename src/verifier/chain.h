#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "crypto/x509.h"
#include "verifier/judge.h"

namespace cloister {

/// A value, or why the evidence is refused.
template <class T>
struct Judged {
  Judged(T made) : value(std::move(made)) {}
  Judged(Refusal why) : refusal(std::move(why)) {}
  std::optional<T> value;
  std::optional<Refusal> refusal;
};

/// Certificates that were checked, leaf first and root last; two at least.
struct Chain {
  std::vector<Certificate> path;
  std::vector<PublicKey> keys;  ///< of each certificate in `path`
  const Certificate& leaf() const { return path.front(); }
  const Certificate& root() const { return path.back(); }
  UtcSeconds not_after() const;
};

inline constexpr std::size_t kChainMax = 8;

/// The certificates of a PEM text: white space, and one NUL at the end, around them is allowed.
/// Fails: `corrupt`; `too_large` past kChainMax.
Result<std::vector<ByteVector>> read_pem(Bytes text);

/// Orders the certificates by issuer, whatever their position, from the only one that is no CA to
/// a self-signed root whose key is in `roots`; checks every signature, the root's own included,
/// constraints, path lengths and validity at `now`. Names rule `chain` or `chain_validity`.
/// Source: RFC 5280, 6.1, without authority key identifiers, which AMD leaves out.
Judged<Chain> judge_chain(std::vector<ByteVector> certificates, std::span<const Sha256Digest> roots,
                          UtcSeconds now);
/// The same from PEM.
Judged<Chain> judge_pem_chain(Bytes pem, std::span<const Sha256Digest> roots, UtcSeconds now);

}  // namespace cloister
