FROM runtime AS serve
LABEL org.opencontainers.image.title=@{title} \
      org.opencontainers.image.description=@{description} \
      org.opencontainers.image.version=@{version} \
      org.opencontainers.image.licenses=@{licence}
# The address of a bundle, s3://…@sha256:…: fetched, and verified by its hash, when the container starts.
ENV BERTLINE_MODEL=@{address}
CMD ["serve"]
