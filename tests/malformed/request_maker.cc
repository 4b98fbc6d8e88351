#include "malformed/request_maker.h"

#include <algorithm>
#include <cstring>

namespace cloister {
namespace {

constexpr std::string_view kHost = "host: 127.0.0.1\r\n";

}  // namespace

RequestMaker::RequestMaker(std::uint64_t seed, std::string token, std::string model)
    : random_(seed), token_(std::move(token)), model_(std::move(model)) {}

std::uint64_t RequestMaker::below(std::uint64_t bound) { return random_() % bound; }

template <class... Choice>
std::string RequestMaker::one_of(Choice... choices) {
  const std::string all[] = {std::string(choices)...};
  return all[below(sizeof...(choices))];
}

std::string RequestMaker::garbage(std::size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(below(256));
  return text;
}

std::string RequestMaker::flipped(std::string text, std::size_t flips) {
  for (std::size_t i = 0; i < flips && !text.empty(); ++i) {
    text[below(text.size())] = static_cast<char>(below(256));
  }
  return text;
}

std::string RequestMaker::cut(std::string text) {
  text.resize(text.empty() ? 0 : below(text.size()));
  return text;
}

std::string RequestMaker::npy() {
  const std::string shape = one_of("(2, 4)", "(2, 4)", "(1, 4)", "(2, 5)", "(4,)", "()", "(0, 4)",
                                   "(99999999999, 4)", "(-1, 4)", "(2, 4",
                                   "(4294967296, 4294967296)");
  const std::string type = one_of("'<f4'", "'<f4'", "'<f4'", "'>f4'", "'<f8'", "'|O'", "'<U4'",
                                  "4", "[('a', '<f4')]");
  const std::string order = one_of("False", "False", "False", "True", "1");
  std::string header =
      "{'descr': " + type + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.resize(117, ' ');
  header += '\n';
  std::string text("\x93NUMPY\x01\x00\x76\x00", 10);
  if (chance(10)) text[6] = static_cast<char>(below(5));
  if (chance(10)) text[8] = static_cast<char>(below(256));
  return text + header + garbage(chance(80) ? 32 : below(200));
}

std::string RequestMaker::json() {
  const std::string number = one_of("1", "0.5", "1e999", "-1e999", "NaN", "null", "\"1\"", "[1]",
                                    "1e-400", "123456789012345678901234567890");
  const std::string data = "[" + number + ",2,3,4" + one_of("", ",5", ",", "]") + "]";
  const std::string shape =
      one_of("[1,4]", "[1,4]", "[4]", "[1,-4]", "[1,4,1]", "[9999999999,4]", "4");
  const std::string type = one_of("FP32", "FP32", "FP64", "BYTES", "fp32", "");
  std::string input = "{\"name\":\"" + one_of("x", "x", "y", "x\\u0000") + "\",\"shape\":" + shape +
                      ",\"datatype\":\"" + type + "\",\"data\":" + data + "}";
  if (chance(10)) input = input + "," + input;
  std::string text = "{\"inputs\":[" + input + "]";
  text += one_of("", "", ",\"inputs\":[]", ",\"a\":1") + "}";
  if (chance(5)) text = std::string(below(5000), '[');
  if (chance(5)) text = std::string(below(200), '{');
  return text;
}

std::string RequestMaker::body_for(std::string& content_type) {
  content_type = one_of("application/x-npy", "application/json", "application/x-npz",
                        "application/octet-stream", "text/html", "");
  std::string body;
  switch (below(4)) {
    case 0: body = json(); break;
    case 1: body = garbage(below(3000)); break;
    default: body = npy();
  }
  if (chance(20)) body = "PK\x03\x04" + body;
  if (chance(30)) body = flipped(std::move(body), 1 + below(8));
  if (chance(20)) body = cut(std::move(body));
  return body;
}

std::string RequestMaker::credential() {
  const std::string good = "authorization: Bearer " + token_ + "\r\n";
  if (chance(85)) return good;
  return one_of("", "authorization: Bearer \r\n", "authorization: Basic YTpi\r\n",
                "authorization: Bearer " + cut(token_) + "\r\n",
                "authorization: Bearer " + token_ + token_ + "\r\n");
}

std::string RequestMaker::path() {
  const std::string model = "/v2/models/" + one_of(model_, model_, "absent", "other." + model_,
                                                   std::string(300, 'm'), "%41%42", "a%20b");
  return one_of("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models", "/v2/attestation",
                "/v2/openapi.json", "/v2/models/stats", "/v2/attestation?nonce=AAAA",
                "/v2/attestation?nonce=!!", "/", "/v3", "/v2/", "//v2",
                "/v2/repository/index", "/v2/usage", "/metrics", model, model + "/infer",
                model + "/ready", model + "/versions/1", model + "/versions/1/infer",
                model + "/versions/0", model + "/versions/99999999999999999999",
                model + "/versions/-1", model + "/versions/x", model + "/config",
                model + "/stats",
                model + "/versions/1/stats", model + "/versions/2/config", model + "/unload",
                "/v2/repository/models/" + model_ + "/load", "/v2?" + std::string(500, 'q'),
                "/v2/principals/owner/tokens");
}

std::string RequestMaker::sized(const std::string& method, const std::string& target,
                                const std::string& headers, const std::string& body) {
  return method + " " + target + " HTTP/1.1\r\n" + std::string(kHost) + headers +
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string RequestMaker::chunked(const std::string& target, const std::string& body) {
  std::string text = "POST " + target + " HTTP/1.1\r\n" + std::string(kHost) + credential() +
                     "content-type: application/x-npy\r\ntransfer-encoding: chunked\r\n\r\n";
  std::string_view rest = body;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, 1 + below(300));
    char line[32];
    std::snprintf(line, sizeof line, "%zx\r\n", part.size());
    text.append(line).append(part).append("\r\n");
    rest.remove_prefix(part.size());
  }
  return text + "0\r\n\r\n";
}

MadeRequest RequestMaker::wrong_body() {
  std::string type;
  const std::string body = body_for(type);
  const std::string target = "/v2/models/" + model_ + one_of("/infer", "/versions/1/infer");
  if (chance(25)) return {chunked(target, body), true};
  std::string headers = credential();
  if (!type.empty()) headers += "content-type: " + type + "\r\n";
  if (chance(20)) {
    headers += "inference-header-content-length: " +
               one_of("0", "5", std::to_string(body.size()), "99999999", "-1", "x") + "\r\n";
  }
  if (chance(10)) {
    headers += "content-encoding: " + one_of("gzip", "deflate", "br", "gzip, gzip", "") + "\r\n";
  }
  if (chance(10)) headers += "accept-encoding: " + one_of("gzip", "deflate", "*") + "\r\n";
  if (chance(20)) {
    headers += "accept: " + one_of("application/x-npy", "application/x-npz", "text/html", "*/*",
                                   ",;=", "application/json;q=9") + "\r\n";
  }
  return {sized("POST", target, headers, body), true};
}

MadeRequest RequestMaker::wrong_route() {
  const std::string method =
      one_of("GET", "GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "M");
  std::string target = path();
  // The model and the token that the other requests need stay.
  const bool needed = target.find("/" + model_) != target.npos || target.ends_with("/tokens");
  if (method == "DELETE" && needed) target = "/v2/models/absent/versions/1";
  const std::string body = chance(30) ? garbage(below(500)) : "";
  return {sized(method, target, credential(), body), true};
}

MadeRequest RequestMaker::wrong_head() {
  const std::string good = "GET " + path() + " HTTP/1.1\r\n" + std::string(kHost) + credential();
  switch (below(10)) {
    case 0: return {flipped(good, 1 + below(4)) + "\r\n\r\n", false};
    case 1: return {garbage(below(600)) + "\r\n\r\n", false};
    case 2: return {good + "x: " + std::string(below(40000), 'a') + "\r\n\r\n", true};
    case 3: {
      std::string many = good;
      for (std::uint64_t i = below(400); i > 0; --i) many += "x" + std::to_string(i) + ": 1\r\n";
      return {many + "\r\n", true};
    }
    case 4: return {"GET /" + std::string(below(20000), 'p') + " HTTP/1.1\r\n\r\n", true};
    case 5: return {std::string(below(20000), 'M') + " / HTTP/1.1\r\n\r\n", true};
    case 6:
      return {"GET " + one_of("/../x", "/%2e%2e/", "/%00", "/a%2fb", "/\\x", "*", "x", "http:",
                              "/%", "/%zz", "/#f", "/\x80") +
                  " HTTP/1.1\r\n" + std::string(kHost) + "\r\n",
              true};
    case 7:
      return {"GET / " + one_of("HTTP/0.9", "HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "HTTP", "") +
                  "\r\n" + std::string(kHost) + "\r\n",
              true};
    case 8:
      return {good + one_of("host: again\r\n", " folded: 1\r\n", "bad name: 1\r\n", ": 1\r\n",
                            "a\r\n", "a: \x01\r\n", "expect: never\r\n", "connection: close\r\n",
                            "upgrade: h2c\r\n", "authorization: Bearer x\r\n") +
                  "\r\n",
              true};
    default: return {cut(good), false};
  }
}

MadeRequest RequestMaker::wrong_framing() {
  std::string type;
  const std::string body = body_for(type);
  const std::string head = "POST /v2/models/" + model_ + "/infer HTTP/1.1\r\n" +
                           std::string(kHost) + credential() +
                           "content-type: application/x-npy\r\n";
  const auto length = [](std::uint64_t size) {
    return "content-length: " + std::to_string(size) + "\r\n";
  };
  switch (below(9)) {
    case 0: return {head + length(body.size() + 1 + below(1000)) + "\r\n" + body, false};
    case 1: return {head + length(below(body.size() + 1)) + "\r\n" + body, false};
    case 2: return {head + length(1) + length(2) + "\r\n" + body, true};
    case 3: return {head + length(5) + "transfer-encoding: chunked\r\n\r\n0\r\n\r\n", true};
    case 4:
      return {head + "content-length: " +
                  one_of("-1", "+1", "1e3", "0x10", "99999999999999999999999", "1,1", "") +
                  "\r\n\r\n" + body,
              false};
    case 5:
      return {head + "transfer-encoding: " +
                  one_of("gzip", "chunked, chunked", "identity", "CHUNKED", "xchunked", "") +
                  "\r\n\r\n0\r\n\r\n",
              false};
    case 6:
      return {head + "transfer-encoding: chunked\r\n\r\n" +
                  one_of("zz\r\n", "ffffffffffffffff\r\n", "5\r\nab\r\n", "-5\r\n", "1\nx\n",
                         "5;" + std::string(200, 'e') + "\r\n", "0\r\n" + std::string(9000, 't')),
              false};
    case 7: {
      std::string crumbs;
      for (std::uint64_t i = below(9000); i > 0; --i) crumbs += "1\r\nx\r\n";
      return {head + "transfer-encoding: chunked\r\n\r\n" + crumbs + "0\r\n\r\n", true};
    }
    default: return {head + length(1ULL << (20 + below(44))) + "\r\n" + cut(body), false};
  }
}

MadeRequest RequestMaker::wrong_model() {
  const std::string target = "/v2/models/junk/versions/" + std::to_string(1 + below(1000000));
  std::string model = garbage(below(2000));
  if (chance(40)) model = "\x08\x08\x3a" + model;  // begins as a ModelProto does
  const std::string digest = chance(50) ? "content-digest: sha-256=:AAAA:\r\n" : "";
  return {sized("PUT", target, credential() + digest, model), true};
}

MadeRequest RequestMaker::wrong_load() {
  // Nothing here may configure the model that the other requests need.
  const std::string config =
      one_of("{", "[]", "{\\\"max_batch_size\\\":-1}", "{\\\"max_batch_size\\\":99999}",
             "{\\\"sequence_batching\\\":{}}", "{\\\"version_policy\\\":{}}",
             "{\\\"parameters\\\":{\\\"x\\\":1}}", "\\u0000");
  const std::string file = one_of("file:1/model.onnx", "file:0/model.onnx", "file:1/../x",
                                  "file:99999999999999999999/model.onnx", "file:", "other");
  std::string body = "{\"parameters\":{\"config\":\"" + config + "\"";
  const std::string content = one_of("AAAA", "A", "====", "\\u00ff", "");
  if (chance(50)) body += ",\"" + file + "\":\"" + content + "\"";
  body += "}}";
  if (chance(30)) body = flipped(std::move(body), 1 + below(4));
  if (chance(20)) body = cut(std::move(body));
  const std::string target = "/v2/repository/models/" + one_of("junk", "absent", "a.b") + "/load";
  return {sized("POST", target, credential(), body), true};
}

MadeRequest RequestMaker::next() {
  switch (below(21)) {
    case 0: return wrong_model();
    case 20: return wrong_load();
    case 1:
    case 2:
    case 3:
    case 4: return wrong_route();
    case 5:
    case 6:
    case 7:
    case 8: return wrong_head();
    case 9:
    case 10:
    case 11: return wrong_framing();
    default: return wrong_body();
  }
}

}  // namespace cloister
