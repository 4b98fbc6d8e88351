#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "encoding/base64.h"
#include "evidence/device/occlum_platform.h"
#include "evidence/device/sev_guest.h"
#include "evidence/device/tdx_guest.h"

namespace cloister {
namespace {

/// Every test asks this device; what it answers is the fake's.
constexpr const char* kDevice = "/dev/null";
constexpr const char* kAbsent = "/nonexistent/device";

ReportData example_report_data() {
  ReportData data{};
  data.fill(std::byte{0x41});
  return data;
}

/// Answers each ioctl by its number; any other one fails.
struct FakeDriver {
  std::map<unsigned long, std::function<int(char*)>> answers;
  std::vector<unsigned long> asked;
  IoctlRequest request() {
    return [this](int, unsigned long number, void* argument) {
      asked.push_back(number);
      const auto found = answers.find(number);
      return found == answers.end() ? -1 : found->second(static_cast<char*>(argument));
    };
  }
};

template <class Value>
Value value_at(const char* place) {
  Value value;
  std::memcpy(&value, place, sizeof(value));
  return value;
}

/// An Occlum whose quotes are `size` bytes with a CPUSVN of 7s and an ISVSVN of 5.
struct FakeOcclum : FakeDriver {
  std::uint32_t size = 500;
  std::vector<char> key_request;
  FakeOcclum() {
    answers[0x80047307] = [this](char* argument) {
      std::memcpy(argument, &size, sizeof(size));
      return 0;
    };
    answers[0xC0187308] = [this](char* argument) {
      const char* report_data = value_at<char*>(argument);
      char* quote = value_at<char*>(argument + 16);
      std::memset(quote, 0, size);
      std::memset(quote + 48, 7, 16);
      quote[48 + 258] = 5;
      std::memcpy(quote + 48 + 320, report_data, 64);
      return 0;
    };
    answers[0xC010730B] = [this](char* argument) {
      const char* request = value_at<char*>(argument);
      key_request.assign(request, request + 512);
      std::memset(value_at<char*>(argument + 8), 0x33, 16);
      return 0;
    };
  }
};

TEST(OcclumPlatform, RefusesAnAbsentOrForeignDevice) {
  EXPECT_EQ(make_occlum_platform({.device = kAbsent}).error().code, Code::not_found);
  FakeDriver silent;
  EXPECT_EQ(make_occlum_platform({kDevice, silent.request()}).error().code, Code::unavailable);
  FakeOcclum occlum;
  for (const std::uint32_t size : {0U, 431U, 1U << 20}) {
    occlum.size = size;
    EXPECT_EQ(make_occlum_platform({kDevice, occlum.request()}).error().code, Code::unavailable);
  }
}

TEST(OcclumPlatform, FailsWhenTheDriverDoes) {
  FakeOcclum occlum;
  const auto platform = make_occlum_platform({kDevice, occlum.request()}).value();
  occlum.answers.erase(0xC010730B);
  EXPECT_EQ(platform->root_secret().error().code, Code::io);
  occlum.answers[0xC0187308] = [](char* argument) {
    const std::uint32_t larger = 5000;
    std::memcpy(value_at<char*>(argument + 8), &larger, sizeof(larger));
    return 0;
  };
  EXPECT_EQ(platform->evidence_for(example_report_data()).error().code, Code::io);
}

TEST(OcclumPlatform, MakesQuotesAndAsksForTheKeyOfItsOwnVersions) {
  FakeOcclum occlum;
  for (const SealIdentity seal : {SealIdentity::mrenclave, SealIdentity::mrsigner}) {
    const auto platform = make_occlum_platform({kDevice, occlum.request(), seal}).value();
    EXPECT_EQ(platform->kind(), EvidenceKind::sgx);
    const PlatformEvidence made = platform->evidence_for(example_report_data()).value();
    EXPECT_EQ(made.evidence.size(), 500U);
    EXPECT_TRUE(std::ranges::equal(Bytes(made.evidence).subspan(48 + 320, 64),
                                   example_report_data()));
    EXPECT_EQ(platform->root_secret().value().size(), kRootSecretBytes);
    EXPECT_EQ(occlum.key_request[0], 4);
    EXPECT_EQ(occlum.key_request[2], seal == SealIdentity::mrenclave ? 1 : 2);
    EXPECT_EQ(occlum.key_request[4], 5);
    EXPECT_EQ(std::string(16, 7), std::string(occlum.key_request.data() + 8, 16));
  }
}

/// A firmware that answers with a report whose first bytes are the report data.
struct FakeSev : FakeDriver {
  std::uint32_t status = 0;
  std::uint32_t size = 1184;
  FakeSev() {
    answers[0xC0205300] = [this](char* argument) { return report(argument); };
    answers[0xC0205302] = [this](char* argument) {
      const char* request = value_at<char*>(argument + 8);
      std::memcpy(value_at<char*>(request + 96), "certificates", 12);
      return report(argument);
    };
    answers[0xC0205301] = [this](char* argument) {
      char* response = value_at<char*>(argument + 16);
      std::memcpy(response, &status, sizeof(status));
      std::memset(response + 32, 0x55, 32);
      return 0;
    };
  }
  int report(const char* argument) const {
    char* response = value_at<char*>(argument + 16);
    std::memcpy(response, &status, sizeof(status));
    std::memcpy(response + 4, &size, sizeof(size));
    std::memcpy(response + 32 + 0x50, value_at<char*>(argument + 8), 64);
    return 0;
  }
};

TEST(SevGuest, FailsWithoutTheDeviceOrWhenTheFirmwareRefuses) {
  EXPECT_EQ(make_sev_guest_platform({.device = kAbsent}).error().code, Code::not_found);
  EXPECT_EQ(derive_sev_key({.device = kAbsent}).error().code, Code::not_found);
  FakeDriver silent;
  EXPECT_EQ(derive_sev_key({kDevice, silent.request()}).error().code, Code::io);
  FakeSev sev;
  const auto platform = make_sev_guest_platform({kDevice, sev.request()}).value();
  sev.status = 22;
  EXPECT_EQ(platform->evidence_for(example_report_data()).error().code, Code::io);
  EXPECT_EQ(platform->root_secret().error().code, Code::io);
  sev.status = 0;
  sev.size = 4000;
  EXPECT_EQ(platform->evidence_for(example_report_data()).error().code, Code::io);
  sev.answers.clear();
  EXPECT_EQ(platform->evidence_for(example_report_data()).error().code, Code::io);
}

TEST(SevGuest, GivesTheReportAndWhateverCertificatesTheHostHas) {
  FakeSev sev;
  const auto platform = make_sev_guest_platform({kDevice, sev.request()}).value();
  const PlatformEvidence extended = platform->evidence_for(example_report_data()).value();
  EXPECT_EQ(platform->kind(), EvidenceKind::snp);
  EXPECT_EQ(extended.evidence.size(), 1184U);
  EXPECT_TRUE(std::ranges::equal(Bytes(extended.evidence).subspan(0x50, 64),
                                 example_report_data()));
  EXPECT_TRUE(text_of(extended.endorsements).starts_with("certificates"));
  sev.answers.erase(0xC0205302);
  const PlatformEvidence plain = platform->evidence_for(example_report_data()).value();
  EXPECT_EQ(plain.evidence, extended.evidence);
  EXPECT_TRUE(plain.endorsements.empty());
  EXPECT_EQ(platform->root_secret().value().size(), kRootSecretBytes);
  EXPECT_EQ(sev.asked.back(), 0xC0205301UL);
}

/// The host's service behind a connection that hands out `answer`.
Exchange answering(ByteVector answer, ByteVector* request = nullptr) {
  return [answer = std::move(answer), request](
             Bytes sent, const std::function<bool(Bytes)>&) -> Result<ByteVector> {
    if (request != nullptr) *request = copy_of(sent);
    return answer;
  };
}

ByteVector service_message(std::uint32_t type, std::uint32_t error, std::string_view quote) {
  const auto size = static_cast<std::uint32_t>(24 + quote.size());
  ByteWriter message;
  message.u32_be(size);
  message.u16_le(1);
  message.u16_le(1);
  message.u32_le(type);
  message.u32_le(size);
  message.u32_le(error);
  message.u32_le(0);
  message.u32_le(static_cast<std::uint32_t>(quote.size()));
  message.bytes(bytes_of(quote));
  return copy_of(message.view());
}

TEST(QuoteService, RefusesEveryTruncationAndEveryError) {
  const ByteVector report(kTdReportBytes);
  const ByteVector whole = service_message(1, 0, "a quote");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto service = quote_generation_service(answering(copy_of(Bytes(whole).first(size))));
    EXPECT_FALSE(service(report).ok()) << size;
  }
  for (const ByteVector& wrong :
       {service_message(0, 0, "a quote"), service_message(1, 9, "a quote"),
        service_message(1, 0, "")}) {
    EXPECT_FALSE(quote_generation_service(answering(wrong))(report).ok());
  }
}

TEST(QuoteService, SendsTheReportAndTakesTheQuote) {
  ByteVector sent;
  const ByteVector report(kTdReportBytes, std::byte{9});
  const auto service =
      quote_generation_service(answering(service_message(1, 0, "a quote"), &sent));
  EXPECT_EQ(text_of(service(report).value()), "a quote");
  ASSERT_EQ(sent.size(), 4U + 24U + kTdReportBytes);
  EXPECT_EQ(ByteReader(sent).u32_be().value(), sent.size() - 4);
  EXPECT_TRUE(std::ranges::equal(Bytes(sent).last(kTdReportBytes), report));
}

TEST(AzureQuoteService, RefusesWhatIsNoQuote) {
  const ByteVector report(kTdReportBytes);
  for (const char* wrong :
       {"", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 500 No\r\n\r\n{\"quote\":\"YQ\"}",
        "HTTP/1.1 200 OK\r\n\r\n{\"quote\":\"\"}", "HTTP/1.1 200 OK\r\n\r\n{\"quote\":7}",
        "HTTP/1.1 200 OK\r\n\r\n{\"report\":\"YQ\"}", "HTTP/1.1 200 OK\r\n\r\n{\"quote\":\"!\"}"}) {
    const auto service = azure_quote_service(answering(copy_of(bytes_of(wrong))));
    EXPECT_FALSE(service(report).ok()) << wrong;
  }
  const auto refused = azure_quote_service(tcp_exchange("no address", 80))(report);
  EXPECT_EQ(refused.error().code, Code::io);
}

TEST(AzureQuoteService, SendsTheReportAndTakesTheQuote) {
  ByteVector sent;
  const ByteVector report(kTdReportBytes, std::byte{9});
  const auto service = azure_quote_service(answering(
      copy_of(bytes_of("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"quote\":\"YSBxdW90ZQ==\"}")), &sent));
  EXPECT_EQ(text_of(service(report).value()), "a quote");
  EXPECT_TRUE(text_of(sent).starts_with("POST /acc/tdquote HTTP/1.0\r\n"));
  EXPECT_TRUE(text_of(sent).ends_with("{\"report\":\"" + base64url_encode(report) + "\"}"));
}

TEST(TdxGuest, FailsWithoutTheDeviceOrTheService) {
  EXPECT_EQ(make_tdx_guest_platform({.device = kAbsent}).error().code, Code::not_found);
  FakeDriver silent;
  const auto platform = make_tdx_guest_platform({kDevice, silent.request(), {}}).value();
  EXPECT_EQ(platform->evidence_for(example_report_data()).error().code, Code::io);
  EXPECT_EQ(platform->root_secret().error().code, Code::unavailable);
}

TEST(TdxGuest, HasTheServiceMakeAQuoteOfTheReport) {
  FakeDriver driver;
  driver.answers[0xC4405401] = [](char* argument) {
    std::memcpy(argument + 64 + 100, argument, 64);
    return 0;
  };
  const QuoteService service = [](Bytes report) { return Result<ByteVector>(copy_of(report)); };
  const auto platform = make_tdx_guest_platform({kDevice, driver.request(), service}).value();
  EXPECT_EQ(platform->kind(), EvidenceKind::tdx);
  const PlatformEvidence made = platform->evidence_for(example_report_data()).value();
  ASSERT_EQ(made.evidence.size(), kTdReportBytes);
  EXPECT_TRUE(std::ranges::equal(Bytes(made.evidence).subspan(100, 64), example_report_data()));
}

}  // namespace
}  // namespace cloister
