#include "http/message.h"

namespace cloister {

HttpResponse text_response(int status, std::string_view content_type, std::string text) {
  HttpResponse response;
  response.status = status;
  response.headers.push_back({"content-type", std::string(content_type)});
  auto owner = std::make_shared<const std::string>(std::move(text));
  if (!owner->empty()) response.body.pieces.push_back(bytes_of(*owner));
  response.body.owner = std::move(owner);
  return response;
}

}  // namespace cloister
