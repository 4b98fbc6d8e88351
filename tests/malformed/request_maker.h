#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace cloister {

/// One request as it goes over the wire.
struct MadeRequest {
  std::string bytes;
  /// Whether head and body are framed properly, so that an answer must come. Otherwise the server
  /// may be waiting for more.
  bool complete = false;
};

/// Makes requests that are wrong in one way or another, the same ones for the same seed: broken
/// HTTP, broken bodies in sound HTTP, wrong routes and credentials, and some that are right.
class RequestMaker {
 public:
  /// `token`: the owner's; `model`: a stored model that takes float32 [n,4].
  RequestMaker(std::uint64_t seed, std::string token, std::string model);

  MadeRequest next();

 private:
  std::uint64_t below(std::uint64_t bound);
  bool chance(unsigned percent) { return below(100) < percent; }
  template <class... Choice>
  std::string one_of(Choice... choices);

  std::string garbage(std::size_t size);
  std::string npy();
  std::string json();
  std::string flipped(std::string text, std::size_t flips);
  std::string cut(std::string text);
  std::string body_for(std::string& content_type);
  std::string path();
  std::string sized(const std::string& method, const std::string& target,
                    const std::string& headers, const std::string& body);
  std::string chunked(const std::string& target, const std::string& body);
  std::string credential();

  MadeRequest wrong_body();
  MadeRequest wrong_route();
  MadeRequest wrong_head();
  MadeRequest wrong_framing();
  MadeRequest wrong_model();
  MadeRequest wrong_load();

  std::mt19937_64 random_;
  const std::string token_;
  const std::string model_;
};

}  // namespace cloister
