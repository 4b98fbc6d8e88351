#include "verifier/tpm/attest.h"

#include <algorithm>

#include "base/byte_reader.h"
#include "crypto/sha256.h"

namespace cloister {
namespace {

constexpr std::uint16_t kAlgRsa = 0x0001;
constexpr std::uint16_t kAlgSha256 = 0x000B;
constexpr std::uint16_t kAlgNull = 0x0010;
constexpr std::uint16_t kAlgRsaSsa = 0x0014;
constexpr std::uint16_t kAlgRsaPss = 0x0016;
constexpr std::uint16_t kAlgEcdsa = 0x0018;
constexpr std::uint16_t kAlgEcc = 0x0023;
constexpr std::uint16_t kCurveP256 = 0x0003;
constexpr std::uint32_t kDefaultExponent = 65537;
constexpr std::uint32_t kSelectionsMax = 16;
constexpr std::size_t kBareRsaBytes = 256;

constexpr std::uint32_t kFixedTpm = 1U << 1;
constexpr std::uint32_t kFixedParent = 1U << 4;
constexpr std::uint32_t kSensitiveDataOrigin = 1U << 5;
constexpr std::uint32_t kRestricted = 1U << 16;
constexpr std::uint32_t kDecrypt = 1U << 17;
constexpr std::uint32_t kSign = 1U << 18;

/// A TPM2B: a 16-bit length and as many bytes.
Result<Bytes> sized(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint16_t size, reader.u16_be());
  return reader.take(size);
}

Status read_selections(ByteReader& reader, TpmAttest& attest) {
  CLOISTER_ASSIGN(const std::uint32_t count, reader.u32_be());
  if (count > kSelectionsMax) return Error{Code::corrupt, "tpm.selections"};
  for (std::uint32_t i = 0; i < count; ++i) {
    CLOISTER_ASSIGN(const std::uint16_t bank, reader.u16_be());
    CLOISTER_ASSIGN(const std::uint8_t size, reader.u8());
    CLOISTER_ASSIGN(const Bytes bits, reader.take(size));
    for (unsigned pcr = 0; pcr < 8U * size; ++pcr) {
      const auto octet = std::to_integer<unsigned>(bits[pcr / 8]);
      if ((octet >> (pcr % 8) & 1) == 0) continue;
      if (pcr >= kTpmPcrCount) return Error{Code::corrupt, "tpm.selection"};
      if (bank != kAlgSha256) {
        attest.other_bank = true;
      } else if (!attest.pcrs.insert(pcr).second) {
        return Error{Code::corrupt, "tpm.selection"};  // the order of the digest would be open
      }
    }
  }
  return Done{};
}

/// A scheme and, unless it is null, the hash that follows it.
Status skip_scheme(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint16_t scheme, reader.u16_be());
  return scheme == kAlgNull ? Status(Done{}) : reader.skip(2);
}

/// The symmetric cipher of a storage key; a signing key has none.
Status skip_symmetric(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint16_t symmetric, reader.u16_be());
  return symmetric == kAlgNull ? Status(Done{}) : reader.skip(4);
}

Result<PublicKey> read_rsa(ByteReader& reader) {
  CLOISTER_TRY(reader.skip(2));  // key bits: the modulus says it again
  CLOISTER_ASSIGN(const std::uint32_t exponent, reader.u32_be());
  CLOISTER_ASSIGN(const Bytes modulus, sized(reader));
  return PublicKey::from_rsa(modulus, exponent == 0 ? kDefaultExponent : exponent);
}

Result<PublicKey> read_ecc(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint16_t curve, reader.u16_be());
  if (curve != kCurveP256) return Error{Code::unsupported, "tpm.curve"};
  CLOISTER_TRY(skip_scheme(reader));  // key derivation
  ByteVector point(64);
  for (std::size_t half = 0; half < 2; ++half) {
    CLOISTER_ASSIGN(const Bytes number, sized(reader));
    if (number.size() > 32) return Error{Code::corrupt, "tpm.point"};
    const auto end = point.begin() + static_cast<std::ptrdiff_t>(32 * (half + 1));
    std::copy_backward(number.begin(), number.end(), end);
  }
  return PublicKey::from_p256_point(point);
}

}  // namespace

Result<TpmAttest> read_tpm_attest(Bytes bytes) {
  ByteReader reader(bytes);
  TpmAttest attest;
  CLOISTER_ASSIGN(attest.magic, reader.u32_be());
  CLOISTER_ASSIGN(attest.type, reader.u16_be());
  if (attest.magic != kTpmGenerated || attest.type != kTpmQuote) return attest;
  CLOISTER_ASSIGN(attest.signer, sized(reader));
  CLOISTER_ASSIGN(attest.extra_data, sized(reader));
  CLOISTER_TRY(reader.skip(17 + 8));  // clock and firmware version
  CLOISTER_TRY(read_selections(reader, attest));
  CLOISTER_ASSIGN(attest.pcr_digest, sized(reader));
  if (!reader.empty()) return Error{Code::corrupt, "tpm.trailing"};
  return attest;
}

bool TpmPublic::is_attestation_key() const noexcept {
  constexpr std::uint32_t kNeeded =
      kRestricted | kSign | kFixedTpm | kFixedParent | kSensitiveDataOrigin;
  return (attributes & kNeeded) == kNeeded && (attributes & kDecrypt) == 0;
}

Result<TpmPublic> read_tpm_public(Bytes bytes) {
  ByteReader reader(bytes);
  CLOISTER_ASSIGN(const std::uint16_t type, reader.u16_be());
  CLOISTER_ASSIGN(const std::uint16_t name_algorithm, reader.u16_be());
  CLOISTER_ASSIGN(const std::uint32_t attributes, reader.u32_be());
  CLOISTER_TRY(sized(reader));  // authorization policy
  if (name_algorithm != kAlgSha256 || (type != kAlgRsa && type != kAlgEcc)) {
    return Error{Code::unsupported, "tpm.public"};
  }
  CLOISTER_TRY(skip_symmetric(reader));
  CLOISTER_TRY(skip_scheme(reader));
  CLOISTER_ASSIGN(PublicKey key, type == kAlgRsa ? read_rsa(reader) : read_ecc(reader));
  if (!reader.empty()) return Error{Code::corrupt, "tpm.trailing"};
  ByteVector name{std::byte{0}, std::byte{kAlgSha256}};
  const Sha256Digest digest = sha256(bytes);
  name.insert(name.end(), digest.begin(), digest.end());
  return TpmPublic{attributes, std::move(name), std::move(key)};
}

Status check_tpm_signature(const PublicKey& key, Bytes message, Bytes signature) {
  const Error refused{Code::unverified, "tpm.signature"};
  if (signature.size() == kBareRsaBytes) {
    return key.verify(SignatureScheme::rsa_pkcs1_sha256, message, signature);
  }
  ByteReader reader(signature);
  CLOISTER_ASSIGN(const std::uint16_t scheme, reader.u16_be());
  CLOISTER_ASSIGN(const std::uint16_t hash, reader.u16_be());
  CLOISTER_ASSIGN(const Bytes first, sized(reader));
  if (hash != kAlgSha256) return refused;
  if (scheme == kAlgEcdsa) {
    CLOISTER_ASSIGN(const Bytes second, sized(reader));
    if (!reader.empty() || first.size() > 32 || second.size() > 32) return refused;
    ByteVector raw(64);
    std::copy_backward(first.begin(), first.end(), raw.begin() + 32);
    std::copy_backward(second.begin(), second.end(), raw.end());
    return key.verify(SignatureScheme::ecdsa_p256_sha256_raw, message, raw);
  }
  if (!reader.empty()) return refused;
  if (scheme == kAlgRsaSsa) return key.verify(SignatureScheme::rsa_pkcs1_sha256, message, first);
  if (scheme == kAlgRsaPss) return key.verify(SignatureScheme::rsa_pss_sha256, message, first);
  return refused;
}

}  // namespace cloister
