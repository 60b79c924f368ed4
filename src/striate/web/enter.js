/* From the address with the token to the page, at the place that the address named. */
location.replace(`/${location.hash}`);
