FROM runtime AS serve
LABEL org.opencontainers.image.title=@{title} \
      org.opencontainers.image.description=@{description} \
      org.opencontainers.image.version=@{version} \
      org.opencontainers.image.created=@{created} \
      org.opencontainers.image.licenses=@{licence} \
      bertline.model.sha256=@{checksum}
COPY [@{source}, @{model}]
CMD ["serve", @{model}]
