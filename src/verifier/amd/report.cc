#include "verifier/amd/report.h"

#include <algorithm>

#include "verifier/fields.h"

namespace cloister {
namespace {

constexpr std::size_t kSignedBytes = 0x2A0;
constexpr std::size_t kNumberBytes = 48;
constexpr std::uint8_t kFamilyZen3And4 = 0x19;
constexpr std::uint8_t kFamilyZen5 = 0x1A;

}  // namespace

Result<SnpReport> read_snp_report(Bytes bytes) {
  if (bytes.size() != kSnpReportBytes) return Error{Code::corrupt, "snp.size"};
  SnpReport report;
  const auto at = [bytes](std::size_t offset) { return ByteReader(bytes.subspan(offset)); };
  const auto view = [bytes](std::size_t offset, std::size_t size) {
    return bytes.subspan(offset, size);
  };
  CLOISTER_ASSIGN(report.version, at(0x00).u32_le());
  CLOISTER_ASSIGN(report.guest_svn, at(0x04).u32_le());
  CLOISTER_ASSIGN(report.policy, at(0x08).u64_le());
  report.family_id = view(0x10, 16);
  report.image_id = view(0x20, 16);
  CLOISTER_ASSIGN(report.vmpl, at(0x30).u32_le());
  CLOISTER_ASSIGN(report.signature_algorithm, at(0x34).u32_le());
  report.current_tcb = view(0x38, 8);
  CLOISTER_ASSIGN(report.platform_info, at(0x40).u64_le());
  CLOISTER_ASSIGN(report.flags, at(0x48).u32_le());
  report.report_data = view(0x50, 64);
  report.measurement = view(0x90, 48);
  report.host_data = view(0xC0, 32);
  report.id_key_digest = view(0xE0, 48);
  report.author_key_digest = view(0x110, 48);
  report.report_id = view(0x140, 32);
  report.reported_tcb = view(0x180, 8);
  if (report.version >= 3) {
    CLOISTER_ASSIGN(report.cpuid_family, at(0x188).u8());
    CLOISTER_ASSIGN(report.cpuid_model, at(0x189).u8());
    CLOISTER_ASSIGN(report.cpuid_stepping, at(0x18A).u8());
  }
  report.chip_id = view(0x1A0, 64);
  report.committed_tcb = view(0x1E0, 8);
  report.launch_tcb = view(0x1F0, 8);
  if (report.version >= 5) {
    CLOISTER_ASSIGN(report.launch_mitigation, at(0x1F8).u64_le());
    CLOISTER_ASSIGN(report.current_mitigation, at(0x200).u64_le());
  }
  report.signed_bytes = bytes.first(kSignedBytes);
  report.r = view(0x2A0, 72);
  report.s = view(0x2E8, 72);
  report.reserved = bytes.subspan(0x330);
  return report;
}

std::optional<AmdProduct> product_of(const SnpReport& report) noexcept {
  if (report.version < 3) return std::nullopt;
  const unsigned extended_model = report.cpuid_model >> 4;
  if (report.cpuid_family == kFamilyZen5 && extended_model <= 1) return AmdProduct::turin;
  if (report.cpuid_family != kFamilyZen3And4) return std::nullopt;
  if (extended_model == 0) return AmdProduct::milan;
  // Models 0xA0 to 0xAF (Bergamo, Siena) are signed by Genoa's keys.
  if (extended_model == 1 || extended_model == 0xA) return AmdProduct::genoa;
  return std::nullopt;
}

const char* name_of(AmdProduct product) noexcept {
  switch (product) {
    case AmdProduct::milan: return "milan";
    case AmdProduct::genoa: return "genoa";
    case AmdProduct::turin: break;
  }
  return "turin";
}

SnpTcb tcb_of(Bytes version, AmdProduct product) noexcept {
  const auto at = [version](std::size_t i) { return std::to_integer<std::uint8_t>(version[i]); };
  if (product == AmdProduct::turin) return {at(0), at(1), at(2), at(3), at(7)};
  return {0, at(0), at(1), at(6), at(7)};
}

bool reaches(const SnpTcb& tcb, const SnpTcb& minimum) noexcept {
  return tcb.fmc >= minimum.fmc && tcb.boot_loader >= minimum.boot_loader &&
         tcb.tee >= minimum.tee && tcb.snp >= minimum.snp && tcb.microcode >= minimum.microcode;
}

std::optional<ByteVector> raw_signature(const SnpReport& report) {
  if (!is_zero(report.reserved)) return std::nullopt;
  ByteVector out;
  for (const Bytes number : {report.r, report.s}) {
    if (!is_zero(number.subspan(kNumberBytes))) return std::nullopt;
    out.insert(out.end(), number.rend() - kNumberBytes, number.rend());
  }
  return out;
}

}  // namespace cloister
