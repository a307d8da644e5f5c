# The pipeline and Mage. No compiler is needed: every package of the lock file comes built.
FROM python:3.11-slim-bookworm AS packages
# Without a pip of its own: nothing is installed once the image is made.
RUN python -m venv --without-pip /opt/venv
COPY requirements.lock /tmp/
RUN pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
      --no-deps --require-hashes -r /tmp/requirements.lock \
 # What no run opens: tests, C headers, Arrow Flight, and Mage's second copy of its page (for
 # MAGE_BASE_PATH).
 && cd /opt/venv/lib/python3.11/site-packages \
 && find . -depth -type d \( -name tests -o -name test \) -exec rm -rf {} + \
 && rm -rf pyarrow/include pyarrow/*flight* mage_ai/server/frontend_dist_base_path_template
COPY setup/stand_ins /opt/venv/lib/python3.11/site-packages/

FROM python:3.11-slim-bookworm
# Any user may run it, for the owner of ./data need not be 1000.
RUN useradd --uid 1000 --no-create-home mage && mkdir --mode 1777 /home/mage
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/home/mage \
    MAGE_DATA_DIR=/home/mage/mage_data \
    REQUIRE_USER_AUTHENTICATION=1 \
    DISABLE_TERMINAL=1 \
    DISABLE_AUTO_BROWSER_OPEN=1 \
    ENV=prod \
    SCHEDULER_TRIGGER_INTERVAL=5
WORKDIR /app
COPY compose compose
COPY data data
COPY monitoring/*.py monitoring/
USER mage
EXPOSE 6789
CMD ["mage", "start", "data", "--host", "0.0.0.0", "--port", "6789"]
