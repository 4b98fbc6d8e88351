#include "verifier/synthetic_for_test.h"

#include "base/check.h"

namespace cloister {
namespace {

constexpr std::size_t kSgxReportBytes = 384;

void put(ByteVector& bytes, std::size_t at, Bytes value) {
  std::ranges::copy(value, bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

/// (prefix.arc, value) as Intel's extension has it.
ByteVector pair_of(Bytes prefix, std::initializer_list<unsigned> arcs, const ByteVector& value) {
  ByteVector oid = copy_of(prefix);
  for (const unsigned arc : arcs) oid.push_back(static_cast<std::byte>(arc));
  return der_sequence({der_wrap(DerTag::object_id, oid), value});
}

void append(ByteVector& out, Bytes more) { out.insert(out.end(), more.begin(), more.end()); }

std::string edited(std::string text, const std::pair<std::string, std::string>& edit) {
  if (edit.first.empty()) return text;
  const std::size_t at = text.find(edit.first);
  CLOISTER_CHECK(at != std::string::npos);
  return text.replace(at, edit.first.size(), edit.second);
}

}  // namespace

ByteVector SyntheticIntel::pck_extension() const {
  constexpr Oid kExtension("1.2.840.113741.1.13.1");
  const Bytes prefix = kExtension.bytes();
  ByteVector tcb;
  for (unsigned i = 1; i <= 16; ++i) {
    append(tcb, pair_of(prefix, {2, i}, der_small_integer(components)));
  }
  append(tcb, pair_of(prefix, {2, 17}, der_small_integer(components * 2U)));
  append(tcb, pair_of(prefix, {2, 18}, der_octets(ByteVector(16))));
  ByteVector all;
  append(all, pair_of(prefix, {1}, der_octets(ByteVector(16, std::byte{9}))));
  append(all, pair_of(prefix, {2}, der_wrap(DerTag::sequence, tcb)));
  append(all, pair_of(prefix, {3}, der_octets(ByteVector(2))));
  append(all, pair_of(prefix, {4}, der_octets(ByteVector(6, std::byte{0xAB}))));
  ByteVector extension = der_wrap(DerTag::sequence, all);
  if (edit_pck_extension) edit_pck_extension(extension);
  return extension;
}

std::string SyntheticIntel::pck_chain() const {
  const std::vector<CertificateExtension> extensions{
      end_entity_constraint(), {Oid("1.2.840.113741.1.13.1"), false, pck_extension()}};
  const ByteVector leaf = certificate_for_test(is_pck_of_root ? "Root" : "CA",
                                               is_pck_of_root ? root : authority, "PCK", pck,
                                               kPckSerial, now, extensions);
  return pem_for_test(leaf) + pem_for_test(authority_certificate()) +
         pem_for_test(root_certificate());
}

ByteVector SyntheticIntel::body() const {
  if (!is_tdx) {
    ByteVector report(kSgxReportBytes);
    report[48] = debug ? std::byte{7} : std::byte{5};
    put(report, 64, ByteVector(32, std::byte{0xEE}));   // MRENCLAVE
    put(report, 128, ByteVector(32, std::byte{0xDD}));  // MRSIGNER
    report[256] = std::byte{7};                         // product
    report[258] = std::byte{3};                         // version
    if (edit_body) edit_body(report);
    return report;
  }
  ByteVector report(is_td_1_5 ? 648 : 584);
  put(report, 0, std::as_bytes(std::span(tee_tcb_svn)));
  report[120] = debug ? std::byte{1} : std::byte{0};
  report[123] = std::byte{0x10};  // SEPT_VE_DISABLE
  put(report, 136, ByteVector(48, std::byte{0xCC}));  // MRTD
  if (is_td_1_5) put(report, 584, std::as_bytes(std::span(tee_tcb_svn_2)));
  if (edit_body) edit_body(report);
  return report;
}

ByteVector SyntheticIntel::qe_report(Bytes authentication) const {
  ByteVector report(kSgxReportBytes);
  report[48] = qe_debug ? std::byte{0x13} : std::byte{0x11};
  put(report, 128, ByteVector(32, std::byte{0x22}));
  report[256] = std::byte{1};
  report[258] = static_cast<std::byte>(qe_isvsvn);
  ByteVector hashed = copy_of(attestation_point());
  append(hashed, authentication);
  put(report, 320, sha256(hashed));
  if (edit_qe_report) edit_qe_report(report);
  return report;
}

ByteVector SyntheticIntel::quote() const {
  ByteWriter out;
  out.u16_le(static_cast<std::uint16_t>(version));
  out.u16_le(2);
  out.u32_le(is_tdx ? 0x81 : 0);
  out.u32_le(0);
  out.bytes(hex_decode("939a7233f79c4ca9940a0db3957f0607").value());
  out.bytes(ByteVector(20));
  const ByteVector report = body();
  if (version == 5) {
    out.u16_le(!is_tdx ? 1 : is_td_1_5 ? 3 : 2);
    out.u32_le(static_cast<std::uint32_t>(report.size()));
  }
  out.bytes(report);
  const ByteVector signature = attestation.sign(out.view()).value();
  const ByteVector authentication(32, std::byte{0x5A});
  const ByteVector qe = qe_report(authentication);
  const std::string chain = pck_chain();
  ByteWriter inner;
  inner.bytes(qe);
  inner.bytes(pck.sign(qe).value());
  inner.u16_le(static_cast<std::uint16_t>(authentication.size()));
  inner.bytes(authentication);
  inner.u16_le(5);
  inner.u32_le(static_cast<std::uint32_t>(chain.size()));
  inner.bytes(bytes_of(chain));
  const bool is_nested = version >= 4;
  out.u32_le(static_cast<std::uint32_t>(128 + (is_nested ? 6 : 0) + inner.size()));
  out.bytes(signature);
  out.bytes(attestation_point());
  if (is_nested) {
    out.u16_le(6);
    out.u32_le(static_cast<std::uint32_t>(inner.size()));
  }
  out.bytes(inner.view());
  return std::move(out).take();
}

ByteVector SyntheticIntel::signed_document(const std::string& member,
                                           const std::string& content) const {
  const ByteVector signature = signer.sign(bytes_of(content)).value();
  return copy_of(bytes_of("{\"" + member + "\":" + content + ",\"signature\":\"" +
                          hex_encode(signature) + "\"}"));
}

std::string SyntheticIntel::tcb_level(unsigned svn, const std::string& status) const {
  const auto list = [](unsigned value, unsigned first_two) {
    std::string out = "[";
    for (unsigned i = 0; i < 16; ++i) {
      out += (i == 0 ? "" : ",") + std::string("{\"svn\":") +
             std::to_string(i < 2 ? first_two : value) + "}";
    }
    return out + "]";
  };
  return "{\"tcb\":{\"sgxtcbcomponents\":" + list(svn, svn) + ",\"pcesvn\":" +
         std::to_string(svn * 2) + (is_tdx ? ",\"tdxtcbcomponents\":" + list(0, 9) : "") +
         "},\"tcbDate\":\"2026-01-01T00:00:00Z\",\"tcbStatus\":\"" + status +
         "\",\"advisoryIDs\":[\"INTEL-SA-0000" + std::to_string(svn) + "\"]}";
}

Endorsements SyntheticIntel::endorsements() const {
  const std::string dates = "\"issueDate\":\"" + time_text(now - std::chrono::days(2)) +
                            "\",\"nextUpdate\":\"" + time_text(now + std::chrono::days(2)) +
                            "\",\"tcbEvaluationDataNumber\":20,";
  const auto enclave_level = [](unsigned svn, const char* status) {
    return "{\"tcb\":{\"isvsvn\":" + std::to_string(svn) +
           "},\"tcbDate\":\"2026-01-01T00:00:00Z\",\"tcbStatus\":\"" + status + "\"}";
  };
  const std::string zeros = std::string(96, '0');
  const std::string module = "\"mrsigner\":\"" + zeros + "\",\"attributes\":\"0000000000000000\"," +
                             "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"";
  const std::string modules =
      "\"tdxModule\":{" + module + "},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\"," + module +
      ",\"tcbLevels\":[" + enclave_level(4, "UpToDate") + "," + enclave_level(2, "OutOfDate") +
      "," + enclave_level(1, "Revoked") + "]}],";
  const std::string tcb = std::string("{\"id\":\"") + (is_tdx ? "TDX" : "SGX") +
                          "\",\"version\":3," + dates + "\"fmspc\":\"ABABABABABAB\"," +
                          "\"pceId\":\"0000\",\"tcbType\":0," + (is_tdx ? modules : "") +
                          "\"tcbLevels\":[" + tcb_level(5, first_status) + "," +
                          tcb_level(3, "OutOfDate") + "," + tcb_level(1, "Revoked") + "]}";
  const std::string qe = std::string("{\"id\":\"") + (is_tdx ? "TD_QE" : "QE") +
                         "\",\"version\":2," + dates +
                         "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\"," +
                         "\"attributes\":\"11000000000000000000000000000000\"," +
                         "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\"," +
                         "\"mrsigner\":\"" + hex_encode(ByteVector(32, std::byte{0x22})) +
                         "\",\"isvprodid\":1,\"tcbLevels\":[" + enclave_level(8, "UpToDate") +
                         "," + enclave_level(5, "OutOfDate") + "," + enclave_level(3, "Revoked") +
                         "]}";
  Endorsements all;
  all.tcb_info = signed_document("tcbInfo", edited(tcb, edit_tcb));
  all.qe_identity = signed_document("enclaveIdentity", edited(qe, edit_qe));
  const ByteVector signing = certificate_for_test(is_signer_of_authority ? "CA" : "Root",
                                                  is_signer_of_authority ? authority : root,
                                                  "TCB Signing", signer, kSignerSerial, now,
                                                  {end_entity_constraint()});
  all.tcb_signing_chain =
      copy_of(bytes_of(pem_for_test(signing) + pem_for_test(authority_certificate()) +
                       pem_for_test(root_certificate())));
  all.root_crl = crl_for_test(root_certificate(), root, now, revoked_by_root);
  all.pck_crl = crl_for_test(authority_certificate(), authority, now, revoked_by_authority);
  return all;
}

}  // namespace cloister
