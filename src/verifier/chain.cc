#include "verifier/chain.h"

#include <algorithm>
#include <string>

#include "encoding/base64.h"
#include "encoding/hex.h"
#include "verifier/time_text.h"

namespace cloister {
namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

Refusal broken(std::string seen, std::string expected) {
  return {Rule::chain, std::move(seen), std::move(expected)};
}

/// Takes out of `rest` the certificate named `subject`; nothing when there is none.
std::optional<Certificate> take_by_subject(std::vector<Certificate>& rest, Bytes subject) {
  for (auto it = rest.begin(); it != rest.end(); ++it) {
    if (!std::ranges::equal(it->subject(), subject)) continue;
    Certificate found = std::move(*it);
    rest.erase(it);
    return found;
  }
  return std::nullopt;
}

/// The certificates from the only end entity upwards; what is left over is not looked at.
Judged<std::vector<Certificate>> ordered(std::vector<Certificate> rest) {
  std::vector<Certificate> path;
  const auto is_leaf = [](const Certificate& certificate) { return !certificate.is_ca(); };
  if (std::ranges::count_if(rest, is_leaf) != 1) {
    return broken("several end certificates, or none", "one end certificate and its issuers");
  }
  const auto leaf = std::ranges::find_if(rest, is_leaf);
  path.push_back(std::move(*leaf));
  rest.erase(leaf);
  while (!std::ranges::equal(path.back().issuer(), path.back().subject())) {
    std::optional<Certificate> issuer = take_by_subject(rest, path.back().issuer());
    if (!issuer) return broken("a certificate whose issuer is missing", "a chain up to the root");
    path.push_back(std::move(*issuer));
  }
  if (path.size() < 2) return broken("a self-signed end certificate", "a chain up to the root");
  return path;
}

Check check_link(const Certificate& below, const Certificate& above, const PublicKey& key,
                 std::size_t authorities_below) {
  if (!above.is_ca() || !above.may_sign_certificates()) {
    return broken("an issuer that is no authority", "basic constraints and key usage of a CA");
  }
  if (above.path_length() && *above.path_length() < authorities_below) {
    return broken("more authorities than the path length allows", "a shorter chain");
  }
  if (!below.check_signature(key).ok()) {
    return broken("a certificate whose signature does not hold", "its issuer's signature");
  }
  return std::nullopt;
}

}  // namespace

UtcSeconds Chain::not_after() const {
  return std::ranges::min_element(path, {}, &Certificate::not_after)->not_after();
}

Result<std::vector<ByteVector>> read_pem(Bytes bytes) {
  std::string_view text = text_of(bytes);
  if (text.ends_with('\0')) text.remove_suffix(1);
  std::vector<ByteVector> out;
  while (true) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    if (text.empty()) break;
    const std::size_t end = text.find(kEnd);
    if (!text.starts_with(kBegin) || end == std::string_view::npos) {
      return Error{Code::corrupt, "pem.frame"};
    }
    if (out.size() == kChainMax) return Error{Code::too_large, "pem.count"};
    std::string content(text.substr(kBegin.size(), end - kBegin.size()));
    std::erase_if(content, is_blank);
    CLOISTER_ASSIGN(ByteVector der, base64_decode(content));
    out.push_back(std::move(der));
    text.remove_prefix(end + kEnd.size());
  }
  return out;
}

Judged<Chain> judge_chain(std::vector<ByteVector> ders, std::span<const Sha256Digest> roots,
                          UtcSeconds now) {
  std::vector<Certificate> parsed;
  for (const ByteVector& der : ders) {
    Result<Certificate> certificate = Certificate::parse(der);
    if (!certificate.ok() || certificate.value().has_unknown_critical()) {
      return broken("a certificate that cannot be read", "X.509 version 3 certificates");
    }
    parsed.push_back(std::move(certificate).value());
  }
  Judged<std::vector<Certificate>> path = ordered(std::move(parsed));
  if (path.refusal) return *path.refusal;
  Chain chain{std::move(*path.value), {}};
  const Sha256Digest root = sha256(chain.root().spki());
  if (std::ranges::find(roots, root) == roots.end()) {
    return broken("a root with the key " + hex_encode(root), "the vendor's root");
  }
  for (const Certificate& certificate : chain.path) {
    Result<PublicKey> key = PublicKey::from_spki(certificate.spki());
    if (!key.ok()) return broken("a key of an unknown kind", "P-256, P-384 or RSA");
    chain.keys.push_back(std::move(key).value());
  }
  for (std::size_t i = 0; i < chain.path.size(); ++i) {
    const std::size_t above = std::min(i + 1, chain.path.size() - 1);
    if (Check refusal = check_link(chain.path[i], chain.path[above], chain.keys[above],
                                   above == i ? 0 : i)) {
      return *refusal;
    }
  }
  for (const Certificate& certificate : chain.path) {
    if (certificate.valid_at(now)) continue;
    return Refusal{Rule::chain_validity,
                   "a certificate valid from " + time_text(certificate.not_before()) + " to " +
                       time_text(certificate.not_after()),
                   "one that is valid at " + time_text(now)};
  }
  return chain;
}

Judged<Chain> judge_pem_chain(Bytes pem, std::span<const Sha256Digest> roots, UtcSeconds now) {
  Result<std::vector<ByteVector>> ders = read_pem(pem);
  if (!ders.ok()) return broken("a text that is no PEM", "certificates in PEM");
  return judge_chain(std::move(ders).value(), roots, now);
}

}  // namespace cloister
