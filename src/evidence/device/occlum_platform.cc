#include "evidence/device/occlum_platform.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/mutex.h"
#include "crypto/aead.h"

namespace cloister {
namespace {

constexpr unsigned long kQuoteSize = 0x80047307;
constexpr unsigned long kMakeQuote = 0xC0187308;
constexpr unsigned long kGetKey = 0xC010730B;
constexpr std::string_view kInfo = "cloister root secret, SGX";
constexpr std::size_t kSealKeyBytes = 16;
// Where an SGX quote of version 3 holds what the key is asked for with.
constexpr std::size_t kCpuSvnOffset = 48;
constexpr std::size_t kIsvSvnOffset = 48 + 258;
constexpr std::size_t kQuoteBytesMin = 48 + 384;

struct QuoteArgument {
  const std::byte* report_data;
  std::uint32_t* size;
  std::byte* quote;
};
static_assert(sizeof(QuoteArgument) == 24);

/// KEYREQUEST of the processor.
struct KeyRequest {
  std::uint16_t name = 4;  // the seal key
  std::uint16_t policy = 0;
  std::uint16_t isv_svn = 0;
  std::uint16_t reserved = 0;
  std::array<std::byte, 16> cpu_svn{};
  std::uint64_t attribute_mask = 0xFF0000000000000B;  // Intel's default: debug counts, among others
  std::uint64_t feature_mask = 0;
  std::array<std::byte, 32> key_id{};
  std::uint32_t misc_mask = 0xF0000000;
  std::uint16_t config_svn = 0;
  std::array<std::byte, 434> rest{};
};
static_assert(sizeof(KeyRequest) == 512);

struct KeyArgument {
  const KeyRequest* request;
  std::byte* key;
};
static_assert(sizeof(KeyArgument) == 16);

class OcclumPlatform final : public Platform {
 public:
  explicit OcclumPlatform(OcclumSettings settings) : settings_(std::move(settings)) {}

  EvidenceKind kind() const noexcept override { return EvidenceKind::sgx; }

  Result<PlatformEvidence> evidence_for(const ReportData& report_data) override {
    const MutexLock lock(mutex_);
    CLOISTER_ASSIGN(ByteVector quote, make_quote(report_data));
    return PlatformEvidence{std::move(quote), {}};
  }

  Result<SecretBytes> root_secret() override {
    const MutexLock lock(mutex_);
    CLOISTER_ASSIGN(const ByteVector quote, make_quote(ReportData{}));
    const bool own_build = settings_.seal == SealIdentity::mrenclave;
    KeyRequest asked;
    asked.policy = own_build ? 1 : 2;
    std::memcpy(&asked.isv_svn, quote.data() + kIsvSvnOffset, sizeof(asked.isv_svn));
    std::memcpy(asked.cpu_svn.data(), quote.data() + kCpuSvnOffset, asked.cpu_svn.size());
    std::vector<std::byte> bytes(kSealKeyBytes);
    KeyArgument argument{&asked, bytes.data()};
    const Status done = ask(kGetKey, &argument);
    const SecretBytes key(std::move(bytes));
    if (!done.ok()) return done.error();
    const std::string_view salt = own_build ? "_sgx_mrenclave" : "_sgx_mrsigner";
    return hkdf_sha256(key, bytes_of(salt), bytes_of(kInfo), kRootSecretBytes);
  }

  Result<std::uint32_t> quote_size() const {
    std::uint32_t size = 0;
    CLOISTER_TRY(ask(kQuoteSize, &size));
    if (size < kQuoteBytesMin || size > kEvidenceBytesMax) {
      return Error{Code::too_large, "occlum.quote_size"};
    }
    return size;
  }

 private:
  Status ask(unsigned long number, void* argument) const {
    return ask_device(settings_.device, settings_.request, number, argument);
  }

  Result<ByteVector> make_quote(const ReportData& report_data) const {
    CLOISTER_ASSIGN(std::uint32_t size, quote_size());
    ByteVector quote(size);
    QuoteArgument argument{report_data.data(), &size, quote.data()};
    CLOISTER_TRY(ask(kMakeQuote, &argument));
    if (size < kQuoteBytesMin || size > quote.size()) return Error{Code::io, "occlum.quote"};
    quote.resize(size);
    return quote;
  }

  const OcclumSettings settings_;
  Mutex mutex_;
};

}  // namespace

Result<std::unique_ptr<Platform>> make_occlum_platform(const OcclumSettings& settings) {
  auto platform = std::make_unique<OcclumPlatform>(settings);
  const auto size = platform->quote_size();
  if (!size.ok() && size.error().code == Code::not_found) return size.error();
  if (!size.ok()) return Error{Code::unavailable, "occlum.device"};
  return std::unique_ptr<Platform>(std::move(platform));
}

}  // namespace cloister
